"""Storing the entries of one stretch whose files have been read."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from common.repository.attributes import Xattrs, group_name, user_name
from common.repository.entry import PERMISSIONS, Entry, EntryType, Unstorable, show_path
from common.repository.format.block import MAX_XATTRS, Owner
from common.repository.format.chunklist import ITEM, ROOT_ITEMS, ChunkList
from common.repository.format.pack import CHUNK_ID_SIZE
from common.repository.found import EARLIEST, LATEST, STATE, Found
from common.repository.ingesting.contents import ContentWriter
from common.repository.ingesting.filecache import KnownFile
from common.repository.ingesting.reading import FileRead, Outcome, why
from common.repository.ingesting.stretch import Stretch
from common.repository.writing.listing import TreeWriter

_ALL_OF_IT = ROOT_ITEMS * ITEM.size
_NOTHING = ChunkList()


class _Status(NamedTuple):
    """What an entry tells of a state, but for the size."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int


class StretchWriter:
    """Stores the entries of one stretch in order.

    ``whole`` stays true as long as the stored blocks stand for just what was seen; ``plain`` and
    ``known`` are the files that may be remembered, as in ``Facts``: what was seen is what was read,
    and no file was touched after ``settled`` (nanoseconds since 1970).
    """

    def __init__(
        self, stretch: Stretch, tree: TreeWriter, contents: ContentWriter, settled: int
    ) -> None:
        self._stretch = stretch
        self._others = stretch.others
        self._tree = tree
        self._contents = contents
        self._settled = settled
        self.whole = True
        self.plain: dict[int, bytes] = {}
        self.known: dict[int, KnownFile] = {}
        self._owners: dict[tuple[int, int], Owner] = {}

    def entry(self, entry: Entry) -> None:
        """Store an entry that was given as such."""
        self._add(entry, _NOTHING)

    def described(self, found: Found) -> None:
        """Store what is no regular file."""
        try:
            entry = found.describe()
        except OSError as error:
            self._leave_out(found, why(error))
            return
        mtime_ns, ctime_ns = STATE.unpack(found.state)[4:6]
        self.whole = self.whole and max(mtime_ns, ctime_ns) <= self._settled
        self._add(entry, _NOTHING)

    def known_file(self, number: int, found: Found, known: KnownFile) -> None:
        """Store a file that is as it was remembered."""
        mode, uid, gid, size, mtime_ns, *_ = STATE.unpack(self._stretch.states[number])
        if not EARLIEST < mtime_ns < LATEST:
            mtime_ns = found.mtime_ns
        if not known.has_xattrs and known.extents is None and len(known.items) <= ITEM.size:
            self.plain[number] = known.items
            owner, chunk_id = self._owner(uid, gid), known.items[:CHUNK_ID_SIZE]
            self._tree.add_plain(found.path, owner, mode & PERMISSIONS, mtime_ns, size, chunk_id)
            return
        try:
            xattrs = found.xattrs() if known.has_xattrs else ()
        except OSError as error:
            self._leave_out(found, why(error))
            return
        self.known[number] = known
        items = ITEM.iter_unpack(known.items)
        if len(known.items) <= _ALL_OF_IT:
            content = _root(items)
        else:
            content, self.whole = self._contents.listed(items), False
        status = _Status(mode, uid, gid, mtime_ns)
        entry = self._entry(found.path, status, size, known.extents, xattrs)
        self._add(entry, content)

    def read_file(self, number: int, found: Found, outcome: Outcome) -> None:
        """Store a file that was read."""
        if isinstance(outcome, str):
            self._leave_out(found, outcome)
            return
        other = self._others.get(number)
        same = other is None
        mode, uid, gid, size, mtime_ns, ctime_ns, _, _ = STATE.unpack(
            other or self._stretch.states[number]
        )
        if not EARLIEST < mtime_ns < LATEST:
            mtime_ns = found.mtime_ns
        if mtime_ns > self._settled or ctime_ns > self._settled:
            same = False
        if isinstance(outcome, FileRead):
            same = same and not outcome.changed and outcome.size == size
            self._read(number, found, _Status(mode, uid, gid, mtime_ns), outcome, same=same)
            return
        owner = self._owner(uid, gid)
        self._tree.add_plain(found.path, owner, mode & PERMISSIONS, mtime_ns, size, outcome)
        if same:
            self.plain[number] = ITEM.pack(outcome, size) if outcome else b""
        else:
            self.whole = False

    def _read(
        self, number: int, found: Found, status: _Status, outcome: FileRead, *, same: bool
    ) -> None:
        root = tuple(ITEM.iter_unpack(outcome.root))
        content = ChunkList(outcome.level, outcome.content, root)
        entry = self._entry(found.path, status, outcome.size, outcome.extents, outcome.xattrs)
        self._add(entry, content)
        if outcome.changed:
            path = show_path(found.path)
            self._tree.warn(f"{path} may not be consistent: it changed while it was read.")
        self.whole = self.whole and same and not outcome.level
        if same:
            self.known[number] = KnownFile(outcome.flat, outcome.extents, bool(outcome.xattrs))

    def _add(self, entry: Entry, content: ChunkList) -> None:
        """Store an entry, or as much of it as an entry can hold, or nothing."""
        try:
            self._tree.add(entry, content)
        except Unstorable as error:
            self.whole = False
            path, fewer = show_path(entry.path), _first(entry.xattrs)
            if fewer == entry.xattrs:
                self._tree.warn(f"{path} is left out: {error.message}")
                return
            lost = f"{len(entry.xattrs) - len(fewer)} of {len(entry.xattrs)}"
            self._tree.warn(f"{path} has more attributes than can be stored: it lacks {lost}.")
            self._add(replace(entry, xattrs=fewer), content)

    def _entry(
        self,
        path: bytes,
        status: _Status,
        size: int,
        extents: tuple[tuple[int, int], ...] | None,
        xattrs: Xattrs,
    ) -> Entry:
        uid, gid, user, group = self._owner(status.uid, status.gid)
        return Entry(
            path=path,
            type=EntryType.FILE,
            mode=status.mode & PERMISSIONS,
            uid=uid,
            gid=gid,
            user=user,
            group=group,
            mtime_ns=status.mtime_ns,
            size=size,
            xattrs=xattrs,
            extents=extents,
        )

    def _owner(self, uid: int, gid: int) -> Owner:
        pair = uid, gid
        owner = self._owners.get(pair)
        if owner is None:
            owner = self._owners[pair] = (*pair, user_name(pair[0]), group_name(pair[1]))
        return owner

    def _leave_out(self, found: Found, reason: str) -> None:
        self.whole = False
        self._tree.warn(f"{show_path(found.path)} is left out: {reason}.")


def _first(xattrs: Xattrs) -> Xattrs:
    """As many attributes as an entry can hold: by name, the system's are before those of users."""
    ends = accumulate(len(name) + len(value) for name, value in xattrs)
    return tuple(each for each, end in zip(xattrs, ends, strict=True) if end <= MAX_XATTRS)


def _root(items: Iterable[tuple[bytes, int]]) -> ChunkList:
    root = tuple(items)
    return ChunkList(0, sum(length for _, length in root), root)
