"""HashiCorp Vault: secrets in KV version 2, and secrets that transit has encrypted."""

import base64
import binascii
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import hvac
from hvac import exceptions as told
from pydantic import Field, SecretStr
from requests.exceptions import RequestException

from common.config import Settings
from common.crypto.references import Reference
from common.errors import Forbidden, Invalid, NotFound, Unavailable, WrongKey

ATTEMPTS = 3
LIMIT_SECONDS = 5.0
PAUSE_SECONDS = 0.5
_PASSING = (
    told.BadGateway,
    told.InternalServerError,
    told.RateLimitExceeded,
    told.VaultDown,
    RequestException,
)

R = TypeVar("R")


class VaultSettings(Settings):
    """How to reach Vault and log in, under the names that Vault's own tools use.

    A token, or the two parts of an AppRole; each may stand in a file (``VAULT_TOKEN_FILE``).
    """

    vault_addr: str = Field(default="", pattern=r"^(https?://.*)?$")
    vault_namespace: str = ""
    vault_token: SecretStr = SecretStr("")
    vault_role_id: str = ""
    vault_secret_id: SecretStr = SecretStr("")
    vault_cacert: str = ""
    vault_client_cert: str = ""
    vault_client_key: str = ""


class VaultProvider:
    """``vault:MOUNT/data/PATH#FIELD`` and ``vault-transit:MOUNT/KEY#CIPHERTEXT``."""

    def __init__(self, settings: VaultSettings | None = None) -> None:
        logging.getLogger("urllib3").setLevel(logging.WARNING)  # it would name paths at DEBUG
        self._settings = settings or VaultSettings()
        if not self._settings.vault_addr:
            raise Invalid(
                "A setting names a secret in Vault, and VAULT_ADDR is not set.",
                remedy="Set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID and VAULT_SECRET_ID.",
            )
        self._client: hvac.Client | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.adapter.close()

    def fetch(self, reference: Reference) -> SecretStr:
        read = self._read_kv if reference.scheme == "vault" else self._decrypt
        return self._patiently(reference, lambda: read(self._logged_in(), reference))

    def _read_kv(self, client: hvac.Client, reference: Reference) -> SecretStr:
        path, _, name = reference.body.partition("#")
        mount, _, inner = path.partition("/data/")
        if not (mount and inner and name):
            raise reference.wrong("vault:secret/data/strongroom#key, as in Vault's HTTP API")
        answer = client.secrets.kv.v2.read_secret_version(
            path=inner, mount_point=mount, raise_on_deleted_version=True
        )
        value = _inside(answer, "data", "data", name)
        if not isinstance(value, str):
            raise NotFound(
                f"{path} in Vault has no text '{name}', which {reference.setting} names."
            )
        return SecretStr(value)

    def _decrypt(self, client: hvac.Client, reference: Reference) -> SecretStr:
        path, _, ciphertext = reference.body.partition("#")
        mount, _, key = path.rpartition("/")
        if not (mount and key and ciphertext.startswith("vault:v")):
            raise reference.wrong("vault-transit:transit/strongroom#vault:v1:…")
        answer = client.secrets.transit.decrypt_data(
            name=key, ciphertext=ciphertext, mount_point=mount
        )
        try:
            return SecretStr(base64.b64decode(_inside(answer, "data", "plaintext") or "").decode())
        except (binascii.Error, UnicodeDecodeError):
            raise WrongKey(f"What {reference.setting} decrypts to is no text.") from None

    def _logged_in(self) -> hvac.Client:
        if self._client is not None:
            return self._client
        found = self._settings
        client = hvac.Client(
            url=found.vault_addr,
            token=found.vault_token.get_secret_value() or None,
            namespace=found.vault_namespace or None,
            verify=found.vault_cacert or True,
            cert=(found.vault_client_cert, found.vault_client_key)
            if found.vault_client_cert
            else None,
            timeout=LIMIT_SECONDS,
            allow_redirects=False,
        )
        self._client = client
        if not found.vault_token.get_secret_value():
            self._client = None
            try:
                client.auth.approle.login(
                    found.vault_role_id, found.vault_secret_id.get_secret_value()
                )
            except BaseException:
                client.adapter.close()
                raise
            self._client = client
        return client

    def _patiently(self, reference: Reference, act: Callable[[], R]) -> R:
        last: Exception | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                return act()
            except _PASSING as error:
                last = error
            except told.VaultError as error:
                raise _told(error, reference) from None
        raise Unavailable(
            f"Vault at {self._settings.vault_addr} does not give {reference.setting}:"
            f" {type(last).__name__}.",
            remedy="Is it running and unsealed, and are VAULT_ADDR and VAULT_CACERT right?",
        ) from None


def _inside(answer: Any, *names: str) -> Any:
    for name in names:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _told(error: told.VaultError, reference: Reference) -> Exception:
    """Vault's own text may repeat what was sent: its kind is told, not its words."""
    match error:
        case told.Forbidden() | told.Unauthorized():
            return Forbidden(
                f"Vault refuses to give {reference.setting}.",
                remedy="Check the token or AppRole, and that its policy may read this path.",
            )
        case told.InvalidPath():
            return NotFound(f"Vault has nothing where {reference.setting} points.")
        case told.InvalidRequest():
            return WrongKey(
                f"Vault does not accept what {reference.setting} says.",
                remedy="Was it encrypted by another key of Vault, or is the AppRole wrong?",
            )
    return Invalid(f"Vault does not give {reference.setting}: {type(error).__name__}.")
