"""The two ceremonies of WebAuthn, as the library checks them."""

import json
from typing import Any
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from common.errors import Invalid
from gateway.passkeys.store import Passkey

NAME = "Strongroom"


class PasskeyRefused(Invalid):
    """The answer of the device does not hold."""

    code = "passkey_refused"


class Ceremony:
    """What is asked of a device at one address, and whether its answer holds.

    ``public_url`` is where browsers find the console: a passkey made there works only there.
    """

    def __init__(self, public_url: str) -> None:
        self._origin = public_url.rstrip("/")
        self._host = urlsplit(public_url).hostname or ""

    def for_registration(
        self, user_id: bytes, user_name: str, known: list[bytes], challenge: bytes
    ) -> dict[str, Any]:
        """What to ask of a device that is to make a passkey."""
        options = generate_registration_options(
            rp_id=self._host,
            rp_name=NAME,
            user_id=user_id,
            user_name=user_name,
            challenge=challenge,
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return dict(json.loads(options_to_json(options)))

    def for_use(self, known: list[bytes], challenge: bytes) -> dict[str, Any]:
        """What to ask of a device; none of the known passkeys means any."""
        options = generate_authentication_options(
            rp_id=self._host,
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return dict(json.loads(options_to_json(options)))

    def made(self, credential: dict[str, Any], challenge: bytes) -> VerifiedRegistration:
        """The passkey that a device has made.

        Raises:
            PasskeyRefused: not for this challenge, this address, or without its user.
        """
        try:
            return verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except Exception as error:  # whatever an answer breaks in the parsers, it is refused
            raise PasskeyRefused from error

    def used(
        self, credential: dict[str, Any], challenge: bytes, passkey: Passkey
    ) -> VerifiedAuthentication:
        """That a passkey has signed the challenge.

        Raises:
            PasskeyRefused: it has not, or not for this address, or its counter went back.
        """
        try:
            return verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except Exception as error:  # whatever an answer breaks in the parsers, it is refused
            raise PasskeyRefused from error


def credential_id_of(credential: dict[str, Any]) -> bytes:
    """Which passkey an answer speaks of; empty if it does not say."""
    given = credential.get("rawId")
    try:
        return base64url_to_bytes(given) if isinstance(given, str) else b""
    except ValueError:
        return b""
