"""Keys from keys: HKDF-SHA256 (RFC 5869)."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(key: bytes, info: str, salt: bytes = b"", size: int = 32) -> bytes:
    """A key for the purpose ``info`` from another key."""
    return HKDF(SHA256(), length=size, salt=salt, info=info.encode("ascii")).derive(key)
