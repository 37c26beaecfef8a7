"""Bytes that promise more than there is: every count and length of the format, as large as it goes.

By the name of the parser in ``chaos.parsers`` that reads them.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator

import lz4.block
import zstandard

from chaos.parsers import CONFIG, KEY_DATA, RECORD, body_of, snapshot_bodies
from common.repository.format import block, index, pack
from common.repository.format.codec import MAX_RECORD, Codec

MOST = 2**32 - 1
ZEROS = bytes(64 * 1024**2)


def records() -> Iterator[bytes]:
    """Decompression bombs: four times as long as any record may be, whatever they say of it."""
    whole = zstandard.ZstdCompressor(level=3)
    silent = zstandard.ZstdCompressor(level=3, write_content_size=False)
    frame = whole.compress(ZEROS)
    yield bytes([Codec.ZSTD]) + frame
    yield bytes([Codec.ZSTD]) + silent.compress(ZEROS)
    # One that says what is expected of it, and holds more.
    small = whole.compress(bytes(len(RECORD)))
    header = zstandard.frame_header_size(small)
    rest = frame[zstandard.frame_header_size(frame) :]
    yield bytes([Codec.ZSTD]) + small[:header] + rest
    yield bytes([Codec.ZSTD]) + small + frame
    yield bytes([Codec.ZLIB]) + zlib.compress(ZEROS)
    yield bytes([Codec.ZLIB]) + zlib.compress(RECORD) + zlib.compress(ZEROS)
    yield bytes([Codec.LZ4]) + lz4.block.compress(ZEROS, store_size=False)
    yield bytes([Codec.LZ4]) + b"\xff" * 1_000_000


def directories() -> Iterator[bytes]:
    """Counts of records and chunks, and lengths of them."""
    for counts in ((MOST, 0), (0, MOST), (MOST, MOST), (2**31, 2**18), (1, 2**18 + 1)):
        yield pack._HEAD.pack(pack.CONTENT, *counts)
    for record in (
        (1, 99, MOST, 1),
        (1, MOST, MOST, 1),
        (1, 99, MAX_RECORD + 1, 1),
        (0, 99, 83, 0),
    ):
        yield (
            pack._HEAD.pack(0, 1, 1) + pack._RECORD.pack(*record) + pack._CHUNK.pack(b"", record[2])
        )


def segments() -> Iterator[bytes]:
    """Counts of packs, lengths of directories, sizes of packs."""
    yield index._COUNT.pack(MOST)
    for size, length in ((0, MOST), (2**64 - 1, 9), (2**62, 0)):
        yield index._COUNT.pack(1) + index._ENTRY.pack(b"", b"", size, 0, length)
    for head in directories():
        yield index._COUNT.pack(1) + index._ENTRY.pack(b"", b"", 10**6, 0, len(head)) + head


def blocks() -> Iterator[bytes]:
    """Counts of entries, owners, warnings, chunks, regions and attributes; lengths of texts."""
    yield block.HEAD.pack(block.ENTRIES, MOST, 0)
    yield block.HEAD.pack(block.ENTRIES, MOST, 2**16 - 1) + bytes(1000)
    yield bytes([block.WARNINGS]) + struct.pack("<I", MOST)
    yield bytes([block.WARNINGS]) + struct.pack("<II", 1, MOST)
    start = block.HEAD.pack(block.ENTRIES, 1, 1) + bytes(10)
    for flags, rest in (
        (block.CHUNK_LIST, block.LIST.pack(4, MOST)),
        (block.CHUNK_LIST, block.LIST.pack(255, 1) + bytes(20)),
        (block.EXTENTS, block.COUNT.pack(MOST)),
        (block.XATTRS, block.SHORT.pack(2**16 - 1)),
        (block.XATTRS, block.SHORT.pack(1) + block.XATTR.pack(2**16 - 1, MOST)),
    ):
        yield start + block.ENTRY.pack(0, flags, 0, 1, 0, 0, 0, 0, 2**63) + b"a" + rest
    yield start + block.ENTRY.pack(0, 0, 2**16 - 1, 2**16 - 1, 0, 0, 0, 0, 0)
    # Each path is as long as paths may be, and all but a letter of it that of the one before.
    long = block.ENTRY.pack(1, 0, 0, 2**16 - 1, 0, 0, 0, 0, 0) + b"a" * (2**16 - 1)
    again = block.ENTRY.pack(1, 0, 2**16 - 2, 1, 0, 0, 0, 0, 0)
    many = block.HEAD.pack(block.ENTRIES, 20_001, 1) + bytes(10) + long
    yield many + b"".join(again + b"%d" % (number % 10) for number in range(20_000))


def texts(body: bytes) -> Iterator[bytes]:
    """JSON that is deep, or has numbers without end."""
    yield b'{"a":' * 100_000
    yield b"[" * 200_000
    yield b'{"generation": ' + b"9" * 200_000 + b"}"
    fields = json.loads(body)
    values: tuple[object, ...] = (10**300, "A" * 100_000, [[]] * 10_000, {"a": {}})
    for name in fields:
        for value in values:
            yield json.dumps({**fields, name: value}).encode()


GIANTS: dict[str, Callable[[], Iterator[bytes]]] = {
    "record": records,
    "directory": directories,
    "bare directory": directories,
    "segment": segments,
    "block": blocks,
    "references": blocks,
    "config": lambda: texts(body_of(CONFIG)),
    "run key": lambda: texts(body_of(KEY_DATA)),
    "snapshot": lambda: texts(snapshot_bodies()[0]),
}
