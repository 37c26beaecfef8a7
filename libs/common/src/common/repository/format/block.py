"""Writing blocks: the entries of a tree, many in one chunk, each block readable by itself."""

import struct
from collections.abc import Iterable, Iterator
from zlib import crc32

from common.repository.entry import MAX_PATH, Entry, EntryType, Unstorable
from common.repository.format.chunklist import ChunkList, pack_items

MAX_ENTRY = 8 * 1024**2
MAX_XATTRS = MAX_ENTRY // 2
"""So many bytes of attributes fit into an entry, whatever else it has."""

BLOCK_SIZE = 1024**2
_BLOCK_MASK = 0x1FF
_MOST_OWNERS = 0xFFFF
_LONGEST_NAME = 255

MAX_PATHS = 256 * 1024**2
"""Bytes that all paths of a block may have, each in full. Blocks end before; those written when
this was not yet so come near it only with paths of 64 KiB, one in three thousand of these.
"""

ENTRIES, WARNINGS = 1, 2
ONE_CHUNK, CHUNK_LIST, EXTENTS, XATTRS = 1, 2, 4, 8
TYPES = tuple(EntryType)
_TYPE_NUMBERS = {entry_type: number for number, entry_type in enumerate(TYPES)}

HEAD = struct.Struct("<BIH")
COUNT = struct.Struct("<I")
OWNER = struct.Struct("<II")
ENTRY = struct.Struct("<BBHHHHqIQ")
SECOND = 1_000_000_000
LIST = struct.Struct("<BI")
SHORT = struct.Struct("<H")
PAIR32 = struct.Struct("<II")
PAIR64 = struct.Struct("<QQ")
XATTR = struct.Struct("<HI")

Owner = tuple[int, int, str, str]


class BlockBuilder:
    """Collects entries for one block."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._owners: dict[Owner, int] = {}
        self._previous = b""
        self._paths = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, entry: Entry, content: ChunkList) -> bool:
        """Take an entry; true when the block ends after it.

        Where blocks end is decided by the paths, so that a change in one place leaves the blocks
        before and after it as they were.

        Raises:
            Unstorable: the entry is too large; its attributes alone can make it so.
        """
        row = self._pack(entry, content)
        if len(row) > MAX_ENTRY:
            raise Unstorable(f"{entry.path[-200:]!r} has more attributes than can be stored.")
        self._previous = entry.path
        self._paths += len(entry.path)
        self._rows.append(row)
        self.size += len(row)
        return self._is_full() or ends_block(entry.path)

    def add_plain(
        self, path: bytes, owner: Owner, mode: int, mtime_ns: int, size: int, chunk_id: bytes
    ) -> bool:
        """The same for a file that is one chunk or empty, without anything else to tell."""
        number = self._owners.setdefault(owner, len(self._owners))
        shared = _shared(self._previous, path)
        rest = path[shared:]
        seconds, rest_ns = divmod(mtime_ns, SECOND)
        head = ENTRY.pack(
            0, ONE_CHUNK if size else 0, shared, len(rest), mode, number, seconds, rest_ns, size
        )  # fmt: skip
        row = head + rest + chunk_id
        self._previous = path
        self._paths += len(path)
        self._rows.append(row)
        self.size += len(row)
        return not crc32(path) & _BLOCK_MASK or self._is_full()

    def _is_full(self) -> bool:
        return (
            self.size >= BLOCK_SIZE
            or len(self._owners) >= _MOST_OWNERS
            or self._paths > MAX_PATHS - MAX_PATH
        )

    def take(self) -> bytes:
        """The block; the next one begins."""
        head = HEAD.pack(ENTRIES, len(self._rows), len(self._owners))
        owners = b"".join(_pack_owner(owner) for owner in self._owners)
        block = b"".join([head, owners, *self._rows])
        self._rows, self._owners, self._previous, self._paths, self.size = [], {}, b"", 0, 0
        return block

    def _pack(self, entry: Entry, content: ChunkList) -> bytes:
        owner = (entry.uid, entry.gid, entry.user, entry.group)
        number = self._owners.setdefault(owner, len(self._owners))
        shared = _shared(self._previous, entry.path)
        rest = entry.path[shared:]
        one = content.level == 0 and len(content.root) == 1
        flags = (
            (ONE_CHUNK if one else CHUNK_LIST if content.root else 0)
            | (EXTENTS if entry.extents is not None else 0)
            | (XATTRS if entry.xattrs else 0)
        )
        head = ENTRY.pack(
            _TYPE_NUMBERS[entry.type],
            flags,
            shared,
            len(rest),
            entry.mode,
            number,
            *divmod(entry.mtime_ns, SECOND),
            entry.size,
        )
        if flags == ONE_CHUNK:
            return head + rest + content.root[0][0]
        return b"".join([head, rest, *_pack_rest(entry, content, flags)])


def ends_block(path: bytes) -> bool:
    """Whether a block ends after this path, because of it alone."""
    return not crc32(path) & _BLOCK_MASK


def first_end(paths: Iterable[bytes]) -> int | None:
    """How many of these paths there are up to the first that ends a block, if one does."""
    for count, checksum in enumerate(map(crc32, paths), 1):
        if not checksum & _BLOCK_MASK:
            return count
    return None


def _shared(before: bytes, path: bytes) -> int:
    """How many bytes two paths begin with in common."""
    most = len(path)
    if most != len(before):  # as files of a folder often are not
        most = min(most, len(before))
        before, path = before[:most], path[:most]
    different = int.from_bytes(before) ^ int.from_bytes(path)
    return most - (different.bit_length() + 7) // 8


def _pack_rest(entry: Entry, content: ChunkList, flags: int) -> Iterator[bytes]:
    if flags & ONE_CHUNK:
        yield content.root[0][0]
    elif flags & CHUNK_LIST:
        yield LIST.pack(content.level, len(content.root))
        yield pack_items(content.root)
    if entry.type in {EntryType.SYMLINK, EntryType.HARDLINK}:
        yield SHORT.pack(len(entry.target))
        yield entry.target
    elif entry.type in {EntryType.CHARACTER, EntryType.BLOCK}:
        yield PAIR32.pack(*entry.device)
    if entry.extents is not None:
        yield COUNT.pack(len(entry.extents))
        yield from (PAIR64.pack(*extent) for extent in entry.extents)
    if entry.xattrs:
        yield SHORT.pack(len(entry.xattrs))
        for name, value in entry.xattrs:
            yield XATTR.pack(len(name), len(value))
            yield name
            yield value


def _pack_owner(owner: Owner) -> bytes:
    uid, gid, *names = owner
    raw = [name.encode("utf-8", "surrogateescape")[:_LONGEST_NAME] for name in names]
    return OWNER.pack(uid, gid) + b"".join(bytes([len(name)]) + name for name in raw)


def pack_warnings(warnings: list[str]) -> bytes:
    """A block of warnings."""
    texts = [text.encode("utf-8", "backslashreplace") for text in warnings]
    head = bytes([WARNINGS]) + COUNT.pack(len(texts))
    return head + b"".join(COUNT.pack(len(text)) + text for text in texts)
