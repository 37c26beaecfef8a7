"""Compression of records."""

import zlib
from collections.abc import Callable
from enum import IntEnum
from threading import local
from typing import TYPE_CHECKING, Literal

from common.errors import Invalid

if TYPE_CHECKING:
    from zstandard import ZstdCompressor

MAX_RECORD = 16 * 1024**2
_DEFAULT_LEVEL = 3

Buffer = bytes | bytearray | memoryview
Compression = Literal["zstd", "gzip", "lz4", "none"]


class Codec(IntEnum):
    """The number of a codec in a pack's directory."""

    NONE = 0
    ZSTD = 1
    ZLIB = 2
    LZ4 = 3


_LARGE = 256 * 1024
"""zstd's own border: for anything larger a level's tables are the same."""

_TABLES = {"hash_log": 16, "chain_log": 15}
"""384 KiB instead of 768 for what level 3 finds repetitions by: they stay in the second cache of a
processor that has 512 KiB of it (ADR 0131).
"""


class Compressor:
    """Compresses by one setting; may be used by several threads at once."""

    def __init__(self, compression: Compression = "zstd", level: int = _DEFAULT_LEVEL) -> None:
        highest = {"zstd": 19, "gzip": 9, "lz4": 12, "none": 19}.get(compression)
        if highest is None:
            raise Invalid(f"There is no compression {compression!r}.")
        self._level = max(1, min(level, highest))
        self._local = local()
        table: dict[str, tuple[Codec, Callable[[Buffer], Buffer]]] = {
            "zstd": (Codec.ZSTD, self._zstd),
            "gzip": (Codec.ZLIB, self._zlib),
            "lz4": (Codec.LZ4, self._lz4),
            "none": (Codec.NONE, bytes),
        }
        self._codec, self._compress = table[compression]

    def __call__(self, raw: Buffer) -> tuple[Codec, Buffer]:
        """The codec that was of use, and the record's bytes by it."""
        if self._codec is Codec.NONE:
            return Codec.NONE, raw
        compressed = self._compress(raw)
        if len(compressed) >= len(raw):
            return Codec.NONE, raw
        return self._codec, compressed

    def _zstd(self, raw: Buffer) -> bytes:
        large = self._level == _DEFAULT_LEVEL and len(raw) > _LARGE
        name = "zstd_large" if large else "zstd"
        compressor = getattr(self._local, name, None)
        if compressor is None:
            compressor = _zstd_compressor(self._level, large=large)
            setattr(self._local, name, compressor)
        return bytes(compressor.compress(raw))

    def _zlib(self, raw: Buffer) -> bytes:
        return zlib.compress(raw, self._level)

    def _lz4(self, raw: Buffer) -> bytes:
        import lz4.block  # noqa: PLC0415 - zstd is the default

        mode = "default" if self._level < 3 else "high_compression"  # noqa: PLR2004 - lz4's own border
        return bytes(lz4.block.compress(raw, mode=mode, compression=self._level, store_size=False))


def _zstd_compressor(level: int, *, large: bool) -> "ZstdCompressor":
    import zstandard  # noqa: PLC0415 - many a backup finds nothing to compress

    if not large:
        return zstandard.ZstdCompressor(level=level)
    tables = zstandard.ZstdCompressionParameters.from_level(level, **_TABLES)
    return zstandard.ZstdCompressor(compression_params=tables)
