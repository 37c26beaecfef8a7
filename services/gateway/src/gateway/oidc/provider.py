"""A provider of OpenID Connect, as it describes itself."""

import time
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, SecretStr, ValidationError

from common.errors import Unavailable
from gateway.oidc.domain import Begun, OidcRefused

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
LARGEST = 1 << 20
# No algorithm with a shared secret, and never none.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
LEEWAY = 60


class Description(BaseModel):
    """What is used of the discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class ProviderAway(Unavailable):
    """The provider of OpenID Connect does not answer as it should."""


class Provider:
    """Sends browsers to the provider, and reads what they bring back."""

    def __init__(self, issuer: str, client_id: str, secret: SecretStr, redirect: str) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._secret = secret
        self._redirect = redirect
        self._description: Description | None = None
        self._keys: KeySet | None = None
        self._described_at = self._keys_at = float("-inf")

    async def address(self, begun: Begun, state: str, scopes: str) -> str:
        """Where the browser logs in.

        Raises:
            ProviderAway: the provider cannot be asked.
        """
        description = await self._describe()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self._redirect,
            "scope": scopes,
            "state": state,
            "nonce": begun.nonce,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in description.authorization_endpoint else "?"
        return f"{description.authorization_endpoint}{joint}{urlencode(query)}"

    async def claims(self, code: str, begun: Begun) -> dict[str, Any]:
        """The claims of the ID token for this code, whose signature and times hold.

        Raises:
            OidcRefused: the provider does not take the code, or the token does not hold.
            ProviderAway: the provider cannot be asked.
        """
        description = await self._describe()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self.client_id,
            "code_verifier": begun.verifier,
        }
        secret, headers = self._secret.get_secret_value(), {"Accept": "application/json"}
        auth = httpx.BasicAuth(quote(self.client_id, ""), quote(secret, "")) if secret else None
        answer = await _ask("POST", description.token_endpoint, form, headers, auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcRefused
        return await self._verified(token)

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            decoded = jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError, KeyError, TypeError):
            # The provider may have new keys.
            decoded = await self._decode_again(token)
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise OidcRefused from error
        return dict(decoded.claims)

    async def _decode_again(self, token: str) -> jwt.Token:
        if time.monotonic() - self._keys_at < AGAIN_SECONDS:
            raise OidcRefused
        self._keys = None
        try:
            return jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise OidcRefused from error

    async def _describe(self) -> Description:
        if self._description and time.monotonic() - self._described_at < FRESH_SECONDS:
            return self._description
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = Description.model_validate(await _ask("GET", address))
        except (ValidationError, OidcRefused) as error:
            raise ProviderAway from error
        if found.issuer != self.issuer or not self._trusted(found):
            raise ProviderAway("The provider describes itself as another one.")
        self._description, self._described_at = found, time.monotonic()
        return found

    def _trusted(self, found: Description) -> bool:
        """Whether no address is less protected than the provider's own."""
        addresses = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        scheme = "https://" if self.issuer.startswith("https://") else ("http://", "https://")
        return all(address.startswith(scheme) for address in addresses)

    async def _key_set(self) -> KeySet:
        if self._keys and time.monotonic() - self._keys_at < FRESH_SECONDS:
            return self._keys
        description = await self._describe()
        try:
            found: Any = await _ask("GET", description.jwks_uri)
            keys = KeySet.import_key_set(found)
        except (JoseError, ValueError, KeyError, TypeError, OidcRefused) as error:
            raise ProviderAway from error
        self._keys, self._keys_at = keys, time.monotonic()
        return keys


async def _ask(
    method: str,
    address: str,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    auth: httpx.BasicAuth | None = None,
) -> dict[str, Any]:
    """The document of an answer. No redirect is followed: it could lead inside."""
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT) as client,
            client.stream(method, address, data=form, headers=headers, auth=auth) as answer,
        ):
            if answer.is_client_error:
                raise OidcRefused
            if not answer.is_success:
                raise ProviderAway
            content = b""
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise ProviderAway
        found = httpx.Response(200, content=content).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ProviderAway from error
    if not isinstance(found, dict):
        raise ProviderAway
    return found
