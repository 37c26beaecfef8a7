"""Wrapping a key so that only the holder of a private key can unwrap it: HPKE (RFC 9180) with the
X-Wing KEM, which holds as long as either ML-KEM-768 or X25519 does.
"""

import os

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hashes import SHAKE256, Hash

from common.errors import Corrupt, WrongKey

SUITE = 1
"""The number of this construction in the repository format."""

SEED_SIZE = 32
_MLKEM_SEED_SIZE = 64
_MLKEM_PUBLIC_SIZE = 1184
PUBLIC_SIZE = _MLKEM_PUBLIC_SIZE + 32
RECIPIENT_SIZE = 16


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class PublicKey:
    """To whom something is wrapped."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_SIZE:
            raise Corrupt(f"A public key has {len(raw)} bytes, not {PUBLIC_SIZE}.")
        self._raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self._raw == other.raw

    def __hash__(self) -> int:
        return hash(self._raw)

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self._raw

    @property
    def recipient(self) -> bytes:
        """A short name of this key."""
        return bytes(blake3(self.raw).digest(length=RECIPIENT_SIZE))

    def wrap(self, secret: bytes, info: bytes) -> bytes:
        """``secret`` for the holder of the private key, bound to ``info``."""
        try:
            key = hpke.MLKEM768X25519PublicKey(
                mlkem.MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC_SIZE]),
                x25519.X25519PublicKey.from_public_bytes(self.raw[_MLKEM_PUBLIC_SIZE:]),
            )
        except ValueError as error:
            raise Corrupt("A public key is not one.") from error
        return _suite().encrypt(secret, key, info)


class PrivateKey:
    """Opens what was wrapped to its public key. ``seed`` is an X-Wing seed."""

    __slots__ = ("_seed",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise WrongKey(f"A private key has {len(seed)} bytes, not {SEED_SIZE}.")
        self._seed = seed

    @property
    def seed(self) -> bytes:
        """What all of it is made from; secret."""
        return self._seed

    @classmethod
    def generate(cls) -> "PrivateKey":
        """A new random key."""
        return cls(os.urandom(SEED_SIZE))

    @property
    def public(self) -> PublicKey:
        """The key that others wrap to."""
        inner, outer = self._expand()
        return PublicKey(
            inner.public_key().public_bytes_raw() + outer.public_key().public_bytes_raw()
        )

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """What was wrapped.

        Raises:
            Corrupt: it was wrapped to another key or with another ``info``, or is damaged.
        """
        try:
            return _suite().decrypt(wrapped, hpke.MLKEM768X25519PrivateKey(*self._expand()), info)
        except (InvalidTag, ValueError) as error:
            raise Corrupt("A wrapped key does not open.") from error

    def _expand(self) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        shake = Hash(SHAKE256(_MLKEM_SEED_SIZE + 32))
        shake.update(self._seed)
        raw = shake.finalize()
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(raw[:_MLKEM_SEED_SIZE]),
            x25519.X25519PrivateKey.from_private_bytes(raw[_MLKEM_SEED_SIZE:]),
        )
