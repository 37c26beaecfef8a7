"""The secrets that people and services hold, and what seals the repository's private parts."""

import base64
import os
import re
from collections.abc import Mapping
from typing import Any, Protocol

from common.crypto.aead import KEY_SIZE, seal, unseal
from common.crypto.stretching import PROVIDER, describe, described, iterations_for, stretch
from common.errors import Corrupt, Invalid, WrongKey

NOT_ENCRYPTED = "strongroom: not encrypted"
"""The published encryption key of repositories without encryption."""

WHICH_KEY = (
    "Set BACKUP_ENCRYPTION_KEY to the key that opens it now: `strongroom keys change` may have"
    " replaced the one that it was made with."
)
"""What to do where a repository is not opened by the encryption key."""

WRITER_PREFIX = "swk1-"
RECOVERY_PREFIX = "srk1-"
_WRITER_SALT = b"strongroom/v1/writer"
_SALT_SIZE = 32


class Hidden(Protocol):
    """A text that shows itself only to who asks for it, such as a ``SecretStr`` of pydantic."""

    def get_secret_value(self) -> str:
        """The text."""


class HiddenText:
    """The plainest ``Hidden``: for programs that shall not wait until pydantic is loaded."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """The text."""
        return self._text

    def __repr__(self) -> str:
        return "HiddenText(***)"


Secret = Hidden | str | None


def reveal(secret: Secret) -> str:
    """The text of an encryption key; None asks for no encryption, by the published key.

    Raises:
        Invalid: it is empty, which is never meant.
    """
    if secret is None:
        return NOT_ENCRYPTED
    text = secret if isinstance(secret, str) else secret.get_secret_value()
    if not text:
        raise Invalid(
            "The encryption key is empty.",
            remedy="Set BACKUP_ENCRYPTION_KEY, or BACKUP_ENCRYPTION_ENABLED=false to do without.",
        )
    return text


def generate_encryption_key() -> str:
    """A new random encryption key."""
    return base64.urlsafe_b64encode(os.urandom(KEY_SIZE)).decode().rstrip("=")


def derive_writer_key(encryption_key: Secret) -> bytes:
    """The writer key of a repository that is made under this encryption key."""
    return stretch(reveal(encryption_key).encode(), _WRITER_SALT)


def write_key(prefix: str, key: bytes) -> str:
    """The text form of a writer or recovery key."""
    return prefix + key.hex()


def read_key(prefix: str, text: str) -> bytes:
    """The key from its text form.

    Raises:
        WrongKey: it is not the text of such a key.
    """
    if not re.fullmatch(re.escape(prefix) + r"[0-9a-f]{64}", text.strip(), re.ASCII):
        raise WrongKey(
            "A key is not written as expected.",
            remedy=f"It is {prefix} and 64 hexadecimal digits: see `strongroom keys`.",
        )
    return bytes.fromhex(text.strip().removeprefix(prefix))


class KeyProvider(Protocol):
    """Seals secrets under a key that is kept somewhere: in the environment, in a KMS."""

    def describe(self) -> dict[str, Any]:
        """What to store, beside the sealed secrets, to find the same key again."""

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """``secret`` sealed and bound to ``context``."""

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed. Raises ``WrongKey`` when this provider's key is another."""


class PassphraseProvider:
    """The key is stretched from BACKUP_ENCRYPTION_KEY."""

    name = PROVIDER

    def __init__(
        self, encryption_key: Secret, salt: bytes | None = None, iterations: int | None = None
    ) -> None:
        text = reveal(encryption_key).encode()
        self._salt = os.urandom(_SALT_SIZE) if salt is None else salt
        self._iterations = iterations_for(text) if iterations is None else iterations
        self._key = stretch(text, self._salt, self._iterations)

    @classmethod
    def found(cls, encryption_key: Secret, description: Mapping[str, Any]) -> "PassphraseProvider":
        """The provider that ``describe`` described.

        Raises:
            Corrupt: it was another kind of provider, or its numbers are not acceptable.
        """
        try:
            salt, iterations = described(description)
        except Invalid as error:
            raise Corrupt(f"config is damaged: {error.message}", remedy=error.remedy) from error
        return cls(encryption_key, salt, iterations)

    def describe(self) -> dict[str, Any]:
        """The salt and the number of iterations."""
        return describe(self._salt, self._iterations)

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """``secret`` sealed and bound to ``context``."""
        return seal(self._key, secret, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed."""
        try:
            return unseal(self._key, sealed, context)
        except Corrupt as error:
            raise WrongKey(remedy=WHICH_KEY) from error
