"""Compression of records. Expansion is bounded by the length that the directory declares."""

import zlib
from collections.abc import Callable
from enum import IntEnum
from threading import local
from typing import Literal

import zstandard

from common.errors import Corrupt, Invalid

MAX_RECORD = 16 * 1024**2

Buffer = bytes | bytearray | memoryview
Compression = Literal["zstd", "gzip", "lz4", "none"]


class Codec(IntEnum):
    """The number of a codec in a pack's directory."""

    NONE = 0
    ZSTD = 1
    ZLIB = 2
    LZ4 = 3


class Compressor:
    """Compresses by one setting; may be used by several threads at once."""

    def __init__(self, compression: Compression = "zstd", level: int = 3) -> None:
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
        compressor = getattr(self._local, "zstd", None)
        if compressor is None:
            compressor = self._local.zstd = zstandard.ZstdCompressor(level=self._level)
        return bytes(compressor.compress(raw))

    def _zlib(self, raw: Buffer) -> bytes:
        return zlib.compress(raw, self._level)

    def _lz4(self, raw: Buffer) -> bytes:
        import lz4.block  # noqa: PLC0415 - zstd is the default

        mode = "default" if self._level < 3 else "high_compression"  # noqa: PLR2004 - lz4's own border
        return bytes(lz4.block.compress(raw, mode=mode, compression=self._level, store_size=False))


_threads = local()


def _expand_zstd(data: Buffer, size: int) -> bytes:
    # The frame's own size decides what is allocated: look at it first.
    if zstandard.get_frame_parameters(data).content_size != size:
        raise Corrupt("A zstd frame has another size than its record.")
    decompressor = getattr(_threads, "zstd", None)
    if decompressor is None:
        decompressor = _threads.zstd = zstandard.ZstdDecompressor(max_window_size=2**27)
    return bytes(decompressor.decompress(data, allow_extra_data=False))


def _expand_zlib(data: Buffer, size: int) -> bytes:
    stream = zlib.decompressobj()
    raw = stream.decompress(data, size + 1)
    if not stream.eof or stream.unused_data:
        raise Corrupt("A zlib stream does not end with its record.")
    return raw


def _expand_lz4(data: Buffer, size: int) -> bytes:
    import lz4.block  # noqa: PLC0415 - zstd is the default

    try:
        return bytes(lz4.block.decompress(data, uncompressed_size=size))
    except lz4.block.LZ4BlockError as error:
        raise ValueError from error


_EXPAND: dict[int, Callable[[Buffer, int], Buffer]] = {
    Codec.NONE: lambda data, _: data,
    Codec.ZSTD: _expand_zstd,
    Codec.ZLIB: _expand_zlib,
    Codec.LZ4: _expand_lz4,
}


def expand(codec: int, data: Buffer, size: int) -> Buffer:
    """The record whose raw length is ``size``.

    Raises:
        Corrupt: it is longer or shorter, damaged, or of an unknown codec.
    """
    if codec not in _EXPAND or not 0 < size <= MAX_RECORD:
        raise Corrupt("A record has an unknown codec or an impossible length.")
    try:
        raw = _EXPAND[codec](data, size)
    except (zstandard.ZstdError, zlib.error, ValueError) as error:
        raise Corrupt("A record does not decompress.") from error
    if len(raw) != size:
        raise Corrupt("A record has another length than the directory says.")
    return raw
