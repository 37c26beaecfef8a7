"""Records as they were before compression: no longer than the directory declares."""

import zlib
from collections.abc import Callable
from threading import local

import zstandard

from common.byteslike import BytesLike
from common.errors import Corrupt
from common.repository.format.codec import MAX_RECORD, Codec

_threads = local()


def _expand_zstd(data: BytesLike, size: int) -> bytes:
    # The frame's own size decides what is allocated: look at it first.
    if zstandard.get_frame_parameters(data).content_size != size:
        raise Corrupt("A zstd frame has another size than its record.")
    decompressor = getattr(_threads, "zstd", None)
    if decompressor is None:
        decompressor = _threads.zstd = zstandard.ZstdDecompressor(max_window_size=2**27)
    return bytes(decompressor.decompress(data, allow_extra_data=False))


def _expand_zlib(data: BytesLike, size: int) -> bytes:
    stream = zlib.decompressobj()
    raw = stream.decompress(data, size + 1)
    if not stream.eof or stream.unused_data:
        raise Corrupt("A zlib stream does not end with its record.")
    return raw


def _expand_lz4(data: BytesLike, size: int) -> bytes:
    import lz4.block  # noqa: PLC0415 - zstd is the default

    try:
        return bytes(lz4.block.decompress(data, uncompressed_size=size))
    except lz4.block.LZ4BlockError as error:
        raise ValueError from error


_EXPAND: dict[int, Callable[[BytesLike, int], BytesLike]] = {
    Codec.NONE: lambda data, _: data,
    Codec.ZSTD: _expand_zstd,
    Codec.ZLIB: _expand_zlib,
    Codec.LZ4: _expand_lz4,
}


def expand(codec: int, data: BytesLike, size: int) -> BytesLike:
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
