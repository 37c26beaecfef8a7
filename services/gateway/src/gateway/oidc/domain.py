"""What the claims of a provider mean here: decisions without I/O."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import Forbidden, NotFound, Unauthorized

LONGEST_NAME = 100
LONGEST_SUBJECT = 255  # as OpenID Connect has it
_PRINTABLE = re.compile("[^\\x00-\\x1f\\x7f\\ud800-\\udfff]+")


class OidcOff(NotFound):
    """No provider of OpenID Connect is configured."""

    code = "oidc_off"


class OidcRefused(Unauthorized):
    """The provider has not logged anybody in."""

    code = "oidc_refused"


class NoRole(Forbidden):
    """No group of this user has a role here."""

    code = "oidc_no_role"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a login keeps while the browser is at the provider."""

    nonce: str
    verifier: str
    browser: str

    @classmethod
    def new(cls, browser: str) -> "Begun":
        """Secrets of one login; ``browser`` is the token in the browser's cookie."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(48), fingerprint(browser))

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (RFC 7636, S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_of(self, browser: str) -> bool:
        """Whether the browser that comes back is the one that was sent."""
        return hmac.compare_digest(self.browser, fingerprint(browser))


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says has logged in."""

    issuer: str
    subject: str
    name: str
    groups: frozenset[str]
    second_factor: bool


def fingerprint(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def person_of(
    claims: Mapping[str, Any], issuer: str, client_id: str, begun: Begun, names: "Names"
) -> Person:
    """The person in an ID token whose signature, issuer, audience and times hold.

    Raises:
        OidcRefused: it is not for this login or this client.
    """
    nonce, audience = claims.get("nonce"), claims.get("aud")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "surrogatepass"), begun.nonce.encode()
    ):
        raise OidcRefused
    party = claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or (
        party is not None and party != client_id
    ):
        raise OidcRefused
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or len(subject) > LONGEST_SUBJECT
        or not _PRINTABLE.fullmatch(subject)
    ):
        raise OidcRefused
    methods = claims.get("amr")
    return Person(
        issuer,
        subject,
        _name(claims, names.user, subject),
        frozenset(_strings(claims.get(names.groups))),
        isinstance(methods, list) and "mfa" in methods,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Which claims hold the user's name and groups."""

    user: str
    groups: str


def _name(claims: Mapping[str, Any], claim: str, subject: str) -> str:
    given = claims.get(claim)
    name = given.strip() if isinstance(given, str) else ""
    if not name or not _PRINTABLE.fullmatch(name) or len(name) > LONGEST_NAME:
        return f"oidc-{fingerprint(subject)[:12]}"
    return name


def _strings(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def roles_of(person: Person, mapping: Mapping[str, str]) -> list[str]:
    """The roles that the person's groups have here.

    Raises:
        NoRole: there are none.
    """
    roles = sorted({role for group, role in mapping.items() if group in person.groups})
    if not roles:
        raise NoRole
    return roles
