"""Compression of records."""

import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import Literal

from common.byteslike import BytesLike
from common.errors import Invalid
from common.repository.format.trials import Trials
from common.repository.format.zstd import DEFAULT_LEVEL, Zstd

MAX_RECORD = 16 * 1024**2

Compression = Literal["zstd", "gzip", "lz4", "none"]


class Codec(IntEnum):
    """The number of a codec in a pack's directory."""

    NONE = 0
    ZSTD = 1
    ZLIB = 2
    LZ4 = 3


class Compressor:
    """Compresses by one setting; may be used by several threads at once."""

    def __init__(self, compression: Compression = "zstd", level: int = DEFAULT_LEVEL) -> None:
        highest = {"zstd": 19, "gzip": 9, "lz4": 12, "none": 19}.get(compression)
        if highest is None:
            raise Invalid(f"There is no compression {compression!r}.")
        self._level = max(1, min(level, highest))
        table: dict[str, tuple[Codec, Callable[[BytesLike, Trials | None], BytesLike]]] = {
            "zstd": (Codec.ZSTD, Zstd(self._level)),
            "gzip": (Codec.ZLIB, self._zlib),
            "lz4": (Codec.LZ4, self._lz4),
            "none": (Codec.NONE, lambda raw, _: raw),
        }
        self._codec, self._compress = table[compression]

    def __call__(self, raw: BytesLike, trials: Trials | None = None) -> tuple[Codec, BytesLike]:
        """The codec that was of use, and the record's bytes by it; ``trials`` are its stream's."""
        compressed = self._compress(raw, trials)
        if len(compressed) >= len(raw):
            return Codec.NONE, raw
        return self._codec, compressed

    def _zlib(self, raw: BytesLike, _: object) -> bytes:
        return zlib.compress(raw, self._level)

    def _lz4(self, raw: BytesLike, _: object) -> bytes:
        import lz4.block  # noqa: PLC0415 - zstd is the default

        mode = "default" if self._level < 3 else "high_compression"  # noqa: PLR2004 - lz4's own border
        return bytes(lz4.block.compress(raw, mode=mode, compression=self._level, store_size=False))
