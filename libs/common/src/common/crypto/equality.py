"""Whether two texts are the same, without saying by the time it takes how much of them is."""

import os

from blake3 import blake3


def same(found: bytes, expected: bytes) -> bool:
    """Whether these are equal.

    What is compared are hashes under a key that nobody knows: where those differ first says
    nothing. ``hmac`` would load the OpenSSL of the system, beside the one of cryptography.
    """
    key = os.urandom(blake3.key_size)
    return blake3(found, key=key).digest() == blake3(expected, key=key).digest()
