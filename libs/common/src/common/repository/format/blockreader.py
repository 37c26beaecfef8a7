"""Reading blocks. What comes out is safe to act on: no path leads out of the root."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from common.errors import Corrupt, Invalid
from common.repository.entry import (
    MAX_PATH,
    PERMISSIONS,
    Entry,
    EntryType,
    check_entry,
    check_paths,
)
from common.repository.format.block import (
    CHUNK_LIST,
    COUNT,
    ENTRIES,
    ENTRY,
    EXTENTS,
    LIST,
    MAX_PATHS,
    ONE_CHUNK,
    OWNER,
    PAIR32,
    PAIR64,
    SECOND,
    SHORT,
    TYPES,
    WARNINGS,
    XATTR,
    XATTRS,
    Owner,
)
from common.repository.format.chunklist import ITEM, MAX_LEVEL, ChunkList, Item, parse_items
from common.repository.format.codec import MAX_RECORD
from common.repository.format.pack import CHUNK_ID_SIZE

_COUNTS = struct.Struct("<IH")
_ALL_FLAGS = ONE_CHUNK | CHUNK_LIST | EXTENTS | XATTRS
_CONTENT_FLAGS = ONE_CHUNK | CHUNK_LIST
_TYPE = EntryType.FILE
_FILE = TYPES.index(_TYPE)
_KINDS = len(TYPES)
_unpack = ENTRY.unpack_from
_NO_DEVICE = (0, 0)
NOTHING = ChunkList()
_tuple = tuple.__new__  # what a NamedTuple calls in the end, in half the time

_Head = tuple[bytes, EntryType, int, Owner, int, int]
"""Path, type, mode, owner, modification time and size of an entry."""


@dataclass(frozen=True, slots=True)
class StoredEntry(Entry):
    """An entry read from a tree, with what its content consists of."""

    content: ChunkList = NOTHING


class Lone(NamedTuple):
    """A file that is one chunk: as much of it as whoever follows the content needs."""

    path: bytes
    chunk_id: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Block:
    """What one block holds: entries or warnings."""

    entries: list[StoredEntry]
    warnings: list[str]


class _Cursor:
    """Reads a block from its start to its end; ``place`` is where the next bytes begin."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.data = data
        self.place = 0

    def take(self, length: int) -> bytes:
        """The next bytes."""
        begin, end = self.place, self.place + length
        if end > len(self.data):
            raise self.short()
        self.place = end
        return self.data[begin:end]

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next numbers."""
        return layout.unpack(self.take(layout.size))

    def rest(self) -> int:
        """How many bytes there are still; fewer than none when too many were read."""
        return len(self.data) - self.place

    def short(self) -> Corrupt:
        """The block ends too early."""
        return Corrupt(f"{self.name} is a block that ends too early.")


def parse_block(data: bytes, name: str) -> Block:
    """Read a block; ``name`` says in errors where it was found.

    Raises:
        Corrupt: it does not read as a block, or an entry in it is not acceptable.
    """
    entries, warnings = _parse(data, name, _make)
    return Block(entries, warnings)


def parse_references(data: bytes, name: str) -> list[Lone | StoredEntry]:
    """The entries of a block, read and refused as ``parse_block`` does, in half the time."""
    entries: list[Lone | StoredEntry] = _parse(data, name, _lone)[0]
    return entries


def _parse(data: bytes, name: str, make: Callable[..., Any]) -> tuple[list[Any], list[str]]:
    cursor = _Cursor(data, name)
    entries, warnings = [], []
    try:
        (kind,) = cursor.take(1)
        if kind == ENTRIES:
            if int.from_bytes(data[1:5], "little") * MAX_PATH > MAX_PATHS:  # hardly ever
                _check_length(data, name)
            entries = list(_entries(cursor, make))
            check_paths([entry.path for entry in entries])
        elif kind == WARNINGS:
            warnings = list(_warnings(cursor))
        else:
            raise Corrupt(f"{name} is a block of an unknown kind.")
    except Invalid as error:
        raise Corrupt(f"{name} has an entry that is not acceptable: {error.message}") from error
    if cursor.rest() < 0:
        raise cursor.short()
    if cursor.rest():
        raise Corrupt(f"{name} is a block that does not end where it should.")
    return entries, warnings


def _check_length(data: bytes, name: str) -> None:
    """Refuse paths that share so much that all of them would fill the memory; keep none of them."""
    cursor, left = _Cursor(data, name), MAX_PATHS
    cursor.take(1)
    for entry in _entries(cursor, _lone):
        left -= len(entry.path)
        if left < 0:
            raise Corrupt(f"{name} is a block with more of paths than a block may have.")


def _warnings(cursor: _Cursor) -> Iterator[str]:
    (count,) = cursor.unpack(COUNT)
    for _ in range(count):
        (length,) = cursor.unpack(COUNT)
        yield cursor.take(length).decode("utf-8", "replace")


def _entries(cursor: _Cursor, make: Callable[..., Any]) -> Iterator[Any]:
    """The entries; ``make`` makes those that are a file of one chunk."""
    count, owner_count = cursor.unpack(_COUNTS)
    owners = [_owner(cursor) for _ in range(owner_count)]
    path, data, place = b"", cursor.data, cursor.place
    last = len(data) - ENTRY.size  # a cursor's calls would take longer than all the rest
    for _ in range(count):
        if place > last:
            raise cursor.short()
        number, flags, shared, rest, mode, owner, seconds, nanoseconds, size = _unpack(data, place)
        if number >= _KINDS or owner >= len(owners) or shared > len(path) or nanoseconds >= SECOND:
            raise Corrupt(f"{cursor.name} has an entry with impossible numbers.")
        begin = place + ENTRY.size
        place = begin + rest
        path = path[:shared] + data[begin:place]
        mtime = seconds * SECOND + nanoseconds
        if flags == ONE_CHUNK and number == _FILE and 0 < size <= MAX_RECORD:
            # By far the most: a file that is one chunk.
            begin, place = place, place + CHUNK_ID_SIZE
            if place > len(data):
                raise cursor.short()
            if not path or mode > PERMISSIONS:
                check_entry(_make(path, mode, owners[owner], mtime, size, data[begin:place]))
            yield make(path, mode, owners[owner], mtime, size, data[begin:place])
        else:
            cursor.place = place
            entry = _entry(cursor, flags, (path, TYPES[number], mode, owners[owner], mtime, size))
            check_entry(entry)
            place = cursor.place
            yield entry
    cursor.place = place


def _entry(cursor: _Cursor, flags: int, head: _Head) -> StoredEntry:
    """Any entry."""
    path, kind, mode, owner, mtime, size = head
    data_flags, both = flags & (_CONTENT_FLAGS | EXTENTS), flags & _CONTENT_FLAGS == _CONTENT_FLAGS
    if flags & ~_ALL_FLAGS or both or (data_flags and kind is not EntryType.FILE):
        raise Corrupt(f"{cursor.name} has an entry with impossible flags.")
    level, root = _content(cursor, flags)
    target, device = b"", (0, 0)
    if kind in {EntryType.SYMLINK, EntryType.HARDLINK}:
        (length,) = cursor.unpack(SHORT)
        target = cursor.take(length)
    elif kind in {EntryType.CHARACTER, EntryType.BLOCK}:
        major, minor = cursor.unpack(PAIR32)
        device = (major, minor)
    extents = _extents(cursor) if flags & EXTENTS else None
    xattrs = tuple(_xattrs(cursor)) if flags & XATTRS else ()
    data = size if extents is None else sum(length for _, length in extents)
    content = _check_content(level, root, data, cursor.name) if root else NOTHING
    if kind is EntryType.FILE and data and not root:
        raise Corrupt(f"{cursor.name} has a file without its content.")
    return StoredEntry(
        path, kind, mode, *owner, mtime, size, target, device, xattrs, extents, content
    )


def _setters(*names: str) -> tuple[Callable[[StoredEntry, Any], None], ...]:
    return tuple(getattr(StoredEntry, name).__set__ for name in names)


(_SET_PATH, _SET_TYPE, _SET_MODE, _SET_MTIME, _SET_SIZE, _SET_TARGET, _SET_DEVICE) = _setters(
    "path", "type", "mode", "mtime_ns", "size", "target", "device"
)
(_SET_UID, _SET_GID, _SET_USER, _SET_GROUP, _SET_XATTRS, _SET_EXTENTS, _SET_CONTENT) = _setters(
    "uid", "gid", "user", "group", "xattrs", "extents", "content"
)


def _make(
    path: bytes, mode: int, owner: Owner, mtime_ns: int, size: int, chunk_id: bytes
) -> StoredEntry:
    """A file, without the constructor of a frozen class: that takes three times as long."""
    entry = object.__new__(StoredEntry)
    _SET_PATH(entry, path)
    _SET_TYPE(entry, _TYPE)
    _SET_MODE(entry, mode)
    _SET_UID(entry, owner[0])
    _SET_GID(entry, owner[1])
    _SET_USER(entry, owner[2])
    _SET_GROUP(entry, owner[3])
    _SET_MTIME(entry, mtime_ns)
    _SET_SIZE(entry, size)
    _SET_TARGET(entry, b"")
    _SET_DEVICE(entry, _NO_DEVICE)
    _SET_XATTRS(entry, ())
    _SET_EXTENTS(entry, None)
    _SET_CONTENT(entry, _tuple(ChunkList, (0, size, ((chunk_id, size),))))
    return entry


def _lone(path: bytes, _mode: int, _owner: Owner, _mtime: int, size: int, chunk_id: bytes) -> Lone:
    return _tuple(Lone, (path, chunk_id, size))


def _check_content(level: int, root: tuple[Item, ...], size: int, name: str) -> ChunkList:
    if len(root) == 1 and not root[0][1]:
        # The one chunk of a file is as long as its data; every other root states its lengths.
        root = ((root[0][0], size),)
    if level == 0 and sum(length for _, length in root) != size:
        raise Corrupt(f"{name} has a file whose chunks do not add up to its size.")
    if len(root) == 1 and not 0 < root[0][1] <= MAX_RECORD:
        raise Corrupt(f"{name} has a file with an impossible chunk.")
    return ChunkList(level, size, root)


def _content(cursor: _Cursor, flags: int) -> tuple[int, tuple[Item, ...]]:
    if flags & ONE_CHUNK:
        return 0, ((cursor.take(CHUNK_ID_SIZE), 0),)
    if not flags & CHUNK_LIST:
        return 0, ()
    level, count = cursor.unpack(LIST)
    if level > MAX_LEVEL:
        raise Corrupt(f"{cursor.name} has a chunk list that is too deep.")
    return level, tuple(parse_items(cursor.take(count * ITEM.size), cursor.name))


def _extents(cursor: _Cursor) -> tuple[tuple[int, int], ...]:
    (count,) = cursor.unpack(COUNT)
    return tuple(PAIR64.iter_unpack(cursor.take(count * PAIR64.size)))


def _xattrs(cursor: _Cursor) -> Iterator[tuple[bytes, bytes]]:
    (count,) = cursor.unpack(SHORT)
    for _ in range(count):
        name, value = cursor.unpack(XATTR)
        yield cursor.take(name), cursor.take(value)


def _owner(cursor: _Cursor) -> Owner:
    uid, gid = cursor.unpack(OWNER)
    names = []
    for _ in range(2):
        (length,) = cursor.take(1)
        names.append(cursor.take(length).decode("utf-8", "surrogateescape"))
    return uid, gid, names[0], names[1]
