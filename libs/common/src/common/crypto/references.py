"""A setting may say where its secret is kept, instead of the secret itself."""

import re
from typing import NamedTuple, Protocol

from common.crypto.keys import Hidden
from common.errors import Invalid

SCHEMES = ("vault", "vault-transit", "kms")
_REFERENCE = re.compile(rf"({'|'.join(SCHEMES)}):(.+)", re.DOTALL)


class Reference(NamedTuple):
    """``scheme:body``; ``setting`` is the variable that it stands in, for messages.

    The body may be a ciphertext: it is no secret, and no use in a message either.
    """

    setting: str
    scheme: str
    body: str

    @classmethod
    def parse(cls, setting: str, text: str) -> "Reference | None":
        """The reference that ``text`` is; None when it is the secret itself."""
        found = _REFERENCE.fullmatch(text.strip())
        return cls(setting, found[1], found[2]) if found else None

    def wrong(self, expected: str) -> Invalid:
        """It is not written as its kind asks for."""
        return Invalid(
            f"{self.setting} is no reference that can be followed.", remedy=f"Write {expected}."
        )


class SecretProvider(Protocol):
    """Where secrets are kept. Blocking; every call ends within half a minute."""

    def fetch(self, reference: Reference) -> Hidden:
        """The secret.

        Raises:
            Invalid: the reference, or what it names, is not as expected.
            Forbidden: the login is refused, or may not read this.
            NotFound: there is no such secret.
            Unavailable: no answer, after several attempts.
        """

    def close(self) -> None:
        """Let go of connections."""
