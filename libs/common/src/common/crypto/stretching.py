"""Keys from passphrases: PBKDF2-HMAC-SHA256, slow on purpose.

A command begins with this while all else is loaded, so this module loads little.
"""

import base64
import re
from collections.abc import Mapping
from threading import Thread

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from common.errors import Invalid

ITERATIONS = 600_000
"""For what somebody may have made up: OWASP's figure for PBKDF2-HMAC-SHA256."""
FEWEST_ITERATIONS = 100_000
"""For 256 random bits, where no number of them makes a guess likelier or less likely."""
MOST_ITERATIONS = 10_000_000
"""More would only hold up whoever reads a hostile config."""

PROVIDER = "pbkdf2-sha256"

_RANDOM = (
    rb"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])"
    rb"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]|[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"
)
"""32 bytes in base64, as ``strongroom keys generate`` and ``openssl rand -base64 32`` give them.

Hexadecimal digits are not among them: the hash of a password looks like that.
"""

_begun: dict[tuple[bytes, bytes, int], "_Ahead"] = {}


def iterations_for(passphrase: bytes) -> int:
    """How many iterations a new key is worth that is stretched from this text."""
    return FEWEST_ITERATIONS if re.fullmatch(_RANDOM, passphrase) else ITERATIONS


def stretch(passphrase: bytes, salt: bytes, iterations: int = ITERATIONS) -> bytes:
    """A 32-byte key from a passphrase.

    Raises:
        Invalid: the number of iterations is too low to protect or absurdly high.
    """
    if begun := _begun.pop((passphrase, salt, iterations), None):
        begun.join()
        if begun.key:
            return begun.key
    _check(iterations)
    return _stretch(passphrase, salt, iterations)


def stretch_ahead(passphrase: bytes, salt: bytes, iterations: int = ITERATIONS) -> None:
    """Begin ``stretch`` in a thread of its own; the next call with these arguments waits for it.

    Errors as of ``stretch``.
    """
    _check(iterations)
    begun = _begun[passphrase, salt, iterations] = _Ahead(passphrase, salt, iterations)
    begun.start()


def describe(salt: bytes, iterations: int) -> dict[str, object]:
    """What a repository's config says of how its key was stretched."""
    encoded = base64.b64encode(salt).decode()
    return {"provider": PROVIDER, "iterations": iterations, "salt": encoded}


def described(description: Mapping[str, object]) -> tuple[bytes, int]:
    """Salt and number of iterations, as ``describe`` wrote them.

    Raises:
        Invalid: the key comes in another way, or the numbers are not acceptable.
    """
    if description.get("provider") != PROVIDER:
        raise Invalid(f"Keys sealed by {description.get('provider')!r} are not understood.")
    salt, iterations = description.get("salt"), description.get("iterations")
    if not isinstance(salt, str) or not isinstance(iterations, int):
        raise Invalid("How the keys are sealed is not readable.")
    _check(iterations)
    try:
        return base64.b64decode(salt, validate=True), iterations
    except ValueError as error:
        raise Invalid("How the keys are sealed is not readable.") from error


class _Ahead(Thread):
    """One key in the making."""

    def __init__(self, passphrase: bytes, salt: bytes, iterations: int) -> None:
        super().__init__(name="stretch", daemon=True)
        self._arguments = passphrase, salt, iterations
        self.key = b""  # stays so where there was no memory: then it is tried once more

    def run(self) -> None:
        self.key = _stretch(*self._arguments)


def _check(iterations: int) -> None:
    if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
        raise Invalid(
            f"{iterations} iterations of PBKDF2 are not accepted.",
            remedy=f"Between {FEWEST_ITERATIONS} and {MOST_ITERATIONS} are.",
        )


def _stretch(passphrase: bytes, salt: bytes, iterations: int) -> bytes:
    # hashlib's, by the OpenSSL of Debian 12, takes twice as long: time that only the owner pays.
    return PBKDF2HMAC(SHA256(), 32, salt, iterations).derive(passphrase)
