"""The keys that the writer key gives rise to."""

from typing import Final

from common.crypto.equality import compare_digest
from common.crypto.kdf import derive

CHECK_SIZE = 16
_SEED_SIZE = 8
_SEED_MASK = 2**63 - 1


class WriterKeys:
    """What a worker works with in one repository. None of it opens content."""

    def __init__(self, writer_key: bytes, repository: bytes) -> None:
        def key(purpose: str) -> bytes:
            return derive(writer_key, f"strongroom/v1/{purpose}", repository)

        self.repository: Final = repository
        self.writer_key: Final = writer_key
        self.chunk_id: Final = key("chunk-id")
        seed = int.from_bytes(key("chunker")[:_SEED_SIZE], "little")
        self.chunker_seed: Final = seed & _SEED_MASK
        self.index: Final = key("index")
        self.chain: Final = key("chain")
        self.key_mac: Final = key("key-mac")


def config_mac_key(writer_key: bytes) -> bytes:
    """What authenticates ``config``: known before anything in it is believed."""
    return derive(writer_key, "strongroom/v1/config-mac")


def writer_check(writer_key: bytes, repository: bytes) -> bytes:
    """Tells whether a writer key is the repository's."""
    return derive(writer_key, "strongroom/v1/writer-check", repository)[:CHECK_SIZE]


def is_writer_key(writer_key: bytes, repository: bytes, check: bytes) -> bool:
    """Whether ``check`` was made from this key."""
    return compare_digest(writer_check(writer_key, repository), check)
