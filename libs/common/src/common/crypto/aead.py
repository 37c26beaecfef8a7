"""AES-256-GCM, used in two ways: once under a fresh key with numbered messages, or under a lasting
key with random nonces.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.byteslike import BytesLike
from common.errors import Corrupt

KEY_SIZE = 32
TAG_SIZE = 16
NONCE_SIZE = 12


class NumberedSeal:
    """Seals messages 0, 1, 2 … under a key that no other sequence uses.

    The caller gives each number to one message only; that is what keeps the key safe.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, number: int, message: BytesLike, context: bytes) -> bytes:
        """The ciphertext and tag of message ``number``, bound to ``context``."""
        return self._cipher.encrypt(number.to_bytes(NONCE_SIZE, "big"), message, context)

    def open(self, number: int, sealed: BytesLike, context: bytes) -> bytes:
        """Message ``number``.

        Raises:
            Corrupt: it was not sealed with this key, number and context.
        """
        try:
            return self._cipher.decrypt(number.to_bytes(NONCE_SIZE, "big"), sealed, context)
        except (InvalidTag, ValueError) as error:
            raise Corrupt("A sealed message does not open.") from error


def seal(key: bytes, message: BytesLike, context: bytes) -> bytes:
    """Seal under a key that may seal again: a random nonce stands before the ciphertext."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, message, context)


def unseal(key: bytes, sealed: BytesLike, context: bytes) -> bytes:
    """What ``seal`` was given.

    Raises:
        Corrupt: it was not sealed with this key and context.
    """
    with memoryview(sealed) as view:
        try:
            return AESGCM(key).decrypt(bytes(view[:NONCE_SIZE]), view[NONCE_SIZE:], context)
        except (InvalidTag, ValueError) as error:
            raise Corrupt("A sealed message does not open.") from error
