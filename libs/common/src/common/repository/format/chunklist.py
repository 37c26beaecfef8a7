"""Chunk lists: which chunks make up a content, directly or through chunks of items."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from common.errors import Corrupt
from common.repository.format.codec import MAX_RECORD

MAX_LEVEL = 4
ITEM = struct.Struct("<16sI")
ROOT_ITEMS = 256
"""A root with more items is put into chunks of its own."""

_LEAF_ITEMS = 4096
_LEAF_MASK = 0x3FF

Item = tuple[bytes, int]


class ChunkList(NamedTuple):
    """A content of ``size`` bytes, by the items of its root."""

    level: int = 0
    size: int = 0
    root: tuple[Item, ...] = ()


def pack_items(items: tuple[Item, ...] | list[Item]) -> bytes:
    """Items as 20 bytes each."""
    return b"".join(ITEM.pack(*item) for item in items)


def parse_items(data: bytes | memoryview, name: str) -> Iterator[Item]:
    """Items from a root or from a chunk of items, named in the error.

    Raises:
        Corrupt: not a whole number of items, or one with an impossible length.
    """
    if len(data) % ITEM.size:
        raise Corrupt(f"{name} has a chunk list that is cut short.")
    for chunk_id, length in ITEM.iter_unpack(data):
        if not 0 < length <= MAX_RECORD:
            raise Corrupt(f"{name} has a chunk list with an impossible length.")
        yield chunk_id, length


def ends_leaf(items: list[Item]) -> bool:
    """Whether a chunk of items ends after the last of these: decided by content, so that a change
    in the middle leaves the chunks of items before and after it as they were.
    """
    if len(items) >= _LEAF_ITEMS:
        return True
    return not int.from_bytes(items[-1][0][:2], "little") & _LEAF_MASK
