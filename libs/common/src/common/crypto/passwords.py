"""Passwords are kept as bcrypt over HMAC-SHA-256, which uses every byte of a long password, or as
argon2id. Either is verified, whichever is chosen for new ones.

Hashing is slow on purpose: callers run it in a thread.
"""

from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from passlib.hash import bcrypt_sha256

LONGEST = 1024
"""Bytes; more than this is no password but an attempt to keep the processor busy."""

# What an unknown user's password is compared with, so that the answer takes as long as for a known
# one. Salts and checksums are arbitrary; the outcome of the comparison is never used.
_NOBODY = (
    "$bcrypt-sha256$v=2,t=2b,r={rounds}$WN1g3Y0JGyTE0JYkeBpfDu$DeyEYNxE0BV6oDX8M6JBfmoyqQGEEkG"
)
_NOBODY_ARGON2 = (
    "$argon2id$v=19$m={memory},t={passes},p={lanes}"
    "$AQIDBAUGBwgJCgsMDQ4PEA$AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
)
_ARGON2 = "$argon2"


@dataclass(frozen=True, slots=True)
class Argon2:
    """The cost of argon2id: the least that OWASP recommends, unless more is chosen."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1

    def hasher(self) -> PasswordHasher:
        """What hashes at this cost."""
        return PasswordHasher(self.passes, self.memory_kib, self.lanes)

    def nobody(self) -> str:
        """A hash of this cost that is nobody's."""
        return _NOBODY_ARGON2.format(memory=self.memory_kib, passes=self.passes, lanes=self.lanes)


class Passwords:
    """Hashes and compares passwords at one cost.

    ``rounds`` is the binary logarithm of bcrypt's work. With ``argon2`` new passwords are kept so.
    """

    def __init__(self, rounds: int = 12, argon2: Argon2 | None = None) -> None:
        self._bcrypt = bcrypt_sha256.using(rounds=rounds)
        self._argon2 = (argon2 or Argon2()).hasher()
        self._prefers_argon2 = argon2 is not None
        self._nobody = argon2.nobody() if argon2 else _NOBODY.format(rounds=rounds)

    def hash(self, password: str) -> str:
        """What to store; different each time for the same password."""
        secret = _bytes(password)
        return self._argon2.hash(secret) if self._prefers_argon2 else str(self._bcrypt.hash(secret))

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether ``password`` is the one behind ``stored``; no user (None) takes as long."""
        secret = _bytes(password)
        if len(secret) > LONGEST:
            return False
        return self._matches(secret, stored or self._nobody) and stored is not None

    def _matches(self, secret: bytes, stored: str) -> bool:
        if not stored.startswith(_ARGON2):
            return bool(self._bcrypt.verify(secret, stored))
        try:
            return self._argon2.verify(stored, secret)
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, stored: str) -> bool:
        """Whether ``stored`` was made in another way, or at another cost, than one made now.

        It should then be made anew at the next login.
        """
        if stored.startswith(_ARGON2) is not self._prefers_argon2:
            return True
        if self._prefers_argon2:
            return self._argon2.check_needs_rehash(stored)
        return bool(self._bcrypt.needs_update(stored))


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
