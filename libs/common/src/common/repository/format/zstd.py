"""zstd (RFC 8878), as records are compressed by it."""

from threading import local
from typing import TYPE_CHECKING

from common.byteslike import BytesLike
from common.repository.format.trials import Trials

if TYPE_CHECKING:
    from zstandard import ZstdCompressor

DEFAULT_LEVEL = 3

_LARGE = 256 * 1024
"""zstd's own border: for anything larger a level's tables are the same."""

_DENSE = (3, {"hash_log": 16, "chain_log": 15})
"""Level 3 with 384 KiB instead of 768 for what it finds repetitions by: they stay in the second
cache of a processor that has 512 KiB of it (ADR 0131).
"""

_QUICK = (2, {"hash_log": 15, "min_match": 7})
"""Level 2 with 128 KiB instead of 256, and no repetitions that are too short to be worth it where
most of a record is numbers, names of random letters, or compressed already (ADR 0132).
"""


class Zstd:
    """Compresses by one level; may be used by several threads at once."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._local = local()

    def __call__(self, raw: BytesLike, trials: Trials | None) -> bytes:
        """A frame of ``raw``. By the default level, a large record of a stream is compressed in the
        way that its ``trials`` found best.
        """
        if self._level != DEFAULT_LEVEL or len(raw) <= _LARGE:
            return self._compress("plain", raw)
        if trials is None or not trials.is_due():
            way = "quick" if trials is not None and trials.quick else "dense"
            return self._compress(way, raw)
        dense, quick = self._compress("dense", raw), self._compress("quick", raw)
        trials.tell(len(dense), len(quick))
        return min(dense, quick, key=len)

    def _compress(self, way: str, raw: BytesLike) -> bytes:
        compressor = getattr(self._local, way, None)
        if compressor is None:
            compressor = self._compressor(way)
            setattr(self._local, way, compressor)
        return bytes(compressor.compress(raw))

    def _compressor(self, way: str) -> "ZstdCompressor":
        import zstandard  # noqa: PLC0415 - many a backup finds nothing to compress

        if way == "plain":
            return zstandard.ZstdCompressor(level=self._level)
        level, tables = _DENSE if way == "dense" else _QUICK
        parameters = zstandard.ZstdCompressionParameters.from_level(level, **tables)
        return zstandard.ZstdCompressor(compression_params=parameters)
