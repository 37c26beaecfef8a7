"""Passwords are kept as bcrypt over HMAC-SHA-256, which uses every byte of a long password.

Plain bcrypt ignores what comes after 72 bytes and stops at a NUL. Hashing is slow on purpose:
callers run it in a thread.
"""

from passlib.hash import bcrypt_sha256

LONGEST = 1024
"""Bytes; more than this is no password but an attempt to keep the processor busy."""

# What an unknown user's password is compared with, so that the answer takes as long as for a known
# one. Salt and checksum are arbitrary; the outcome of the comparison is never used.
_NOBODY = (
    "$bcrypt-sha256$v=2,t=2b,r={rounds}$WN1g3Y0JGyTE0JYkeBpfDu$DeyEYNxE0BV6oDX8M6JBfmoyqQGEEkG"
)


class Passwords:
    """Hashes and compares passwords at one cost; ``rounds`` is the binary logarithm of the work."""

    def __init__(self, rounds: int = 12) -> None:
        self._scheme = bcrypt_sha256.using(rounds=rounds)
        self._nobody = _NOBODY.format(rounds=rounds)

    def hash(self, password: str) -> str:
        """What to store; different each time for the same password."""
        return str(self._scheme.hash(_bytes(password)))

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether ``password`` is the one behind ``stored``; no user (None) takes as long."""
        secret = _bytes(password)
        if len(secret) > LONGEST:
            return False
        matches = bool(self._scheme.verify(secret, stored or self._nobody))
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether ``stored`` was made at another cost and should be made anew at the next login."""
        return bool(self._scheme.needs_update(stored))


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
