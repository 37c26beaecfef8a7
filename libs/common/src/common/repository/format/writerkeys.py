"""The keys that the writer key gives rise to."""

import hmac
from dataclasses import dataclass, field

from common.crypto.kdf import derive

CHECK_SIZE = 16
_SEED_SIZE = 8
_SEED_MASK = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WriterKeys:
    """What a worker works with in one repository. None of it opens content."""

    repository: bytes
    writer_key: bytes = field(repr=False)
    chunk_id: bytes = field(repr=False)
    chunker_seed: int = field(repr=False)
    index: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    key_mac: bytes = field(repr=False)

    @classmethod
    def of(cls, writer_key: bytes, repository: bytes) -> "WriterKeys":
        """The keys for the repository with this id."""

        def key(purpose: str) -> bytes:
            return derive(writer_key, f"strongroom/v1/{purpose}", repository)

        return cls(
            repository=repository,
            writer_key=writer_key,
            chunk_id=key("chunk-id"),
            chunker_seed=int.from_bytes(key("chunker")[:_SEED_SIZE], "little") & _SEED_MASK,
            index=key("index"),
            chain=key("chain"),
            key_mac=key("key-mac"),
        )


def config_mac_key(writer_key: bytes) -> bytes:
    """What authenticates ``config``: known before anything in it is believed."""
    return derive(writer_key, "strongroom/v1/config-mac")


def writer_check(writer_key: bytes, repository: bytes) -> bytes:
    """Tells whether a writer key is the repository's."""
    return derive(writer_key, "strongroom/v1/writer-check", repository)[:CHECK_SIZE]


def is_writer_key(writer_key: bytes, repository: bytes, check: bytes) -> bool:
    """Whether ``check`` was made from this key."""
    return hmac.compare_digest(writer_check(writer_key, repository), check)
