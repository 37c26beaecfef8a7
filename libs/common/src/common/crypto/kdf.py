"""Keys from keys (HKDF-SHA256) and from passphrases (PBKDF2-HMAC-SHA256)."""

import hashlib
from concurrent.futures import Future
from threading import Thread

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from common.errors import Invalid

ITERATIONS = 600_000
FEWEST_ITERATIONS = 100_000
MOST_ITERATIONS = 10_000_000
"""More would only hold up whoever reads a hostile config."""

_begun: dict[tuple[bytes, bytes, int], Future[bytes]] = {}


def derive(key: bytes, info: str, salt: bytes = b"", size: int = 32) -> bytes:
    """A key for the purpose ``info`` from another key."""
    return HKDF(SHA256(), length=size, salt=salt, info=info.encode("ascii")).derive(key)


def stretch(passphrase: bytes, salt: bytes, iterations: int = ITERATIONS) -> bytes:
    """A 32-byte key from a passphrase, slow on purpose.

    Raises:
        Invalid: the number of iterations is too low to protect or absurdly high.
    """
    if begun := _begun.pop((passphrase, salt, iterations), None):
        return begun.result()
    _check(iterations)
    return _stretch(passphrase, salt, iterations)


def stretch_ahead(passphrase: bytes, salt: bytes, iterations: int = ITERATIONS) -> None:
    """Begin ``stretch`` in a thread of its own; the next call with these arguments waits for it.

    Errors as of ``stretch``.
    """
    _check(iterations)
    begun: Future[bytes] = Future()
    _begun[passphrase, salt, iterations] = begun

    def work() -> None:
        begun.set_result(_stretch(passphrase, salt, iterations))

    Thread(target=work, name="stretch", daemon=True).start()


def _check(iterations: int) -> None:
    if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
        raise Invalid(
            f"{iterations} iterations of PBKDF2 are not accepted.",
            remedy=f"Between {FEWEST_ITERATIONS} and {MOST_ITERATIONS} are.",
        )


def _stretch(passphrase: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase, salt, iterations, 32)
