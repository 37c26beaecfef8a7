"""Run keys, as those hold them who write."""

import os
from typing import NamedTuple

from common.crypto.aead import KEY_SIZE
from common.repository.format.names import KEY_ID_SIZE


class RunKey(NamedTuple):
    """What seals the packs of one attempt of one run: known to that attempt alone."""

    key_id: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"RunKey({self.key_id.hex()})"

    @classmethod
    def generate(cls) -> "RunKey":
        """A new random key."""
        return cls(os.urandom(KEY_ID_SIZE), os.urandom(KEY_SIZE))
