"""Reading files of a file system, by their names in open folders."""

import errno
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from common.repository.attributes import Xattrs, read_xattrs
from common.repository.format.chunklist import ITEM, pack_items
from common.repository.found import STATE, pack_state, size_of
from common.repository.ingesting.contents import ContentWriter
from common.repository.ingesting.regions import (
    Extents,
    RegionReader,
    Regions,
    cut_regions,
    data_regions,
    may_have_holes,
)

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

UNKNOWN_STATE = bytes(STATE.size)
_MOST_UNTOLD, _UNTOLD_STEP = 64 << 20, 1 << 20


class FileRead(NamedTuple):
    """What reading a file came to, where it takes more than the id of its only chunk.

    ``root`` and ``flat`` are packed items: those of the root of its chunk list, which has this
    ``level``, and all of them. ``size`` is that of the file, holes included.
    """

    size: int
    level: int
    content: int
    root: bytes
    flat: bytes
    extents: Extents | None
    changed: bool
    xattrs: Xattrs


Outcome = bytes | str | FileRead
"""The id of the only chunk of a plain file, nothing for an empty one; why a file is left out; or
the whole story."""


class FileReader:
    """Reads files into a store."""

    def __init__(self, contents: ContentWriter) -> None:
        self._contents = contents
        self._whole = contents.whole

    def read_all(
        self, files: Iterable[tuple[int, bytes, bytes]]
    ) -> tuple[list[Outcome], dict[int, bytes]]:
        """Read files, each an open folder, a name in it, and the state in which that was seen: what
        came of each, and the states of those, by their place, that were read in another one.
        """
        outcomes: list[Outcome] = []
        others: dict[int, bytes] = {}
        for place, (folder, name, seen) in enumerate(files):
            state, outcome = self.read(folder, name, seen)
            if state is not seen and state != seen:
                others[place] = state
            outcomes.append(outcome)
        return outcomes, others

    def read(self, folder: int, name: bytes, seen: bytes) -> tuple[bytes, Outcome]:
        """The state of a file before it was read, and what came of it."""
        try:
            file = os.open(name, _FLAGS, dir_fd=folder)
        except OSError as error:
            return UNKNOWN_STATE, why(error)
        try:
            outcome = self._read_as_seen(file, seen)
            if outcome is not None:
                return seen, outcome
            before = os.fstat(file)
            if not stat.S_ISREG(before.st_mode):
                return UNKNOWN_STATE, "it is not a regular file any more"
            return pack_state(before), self._read_open(file, before)
        finally:
            os.close(file)

    def _read_as_seen(self, file: int, seen: bytes) -> bytes | FileRead | None:
        """What came of a file that is read whole, and is afterwards what was seen before: one look
        at it is enough. None for any other.
        """
        size = size_of(seen)
        if size > self._whole:
            return None
        try:
            data = os.pread(file, size + 1, 0)
            xattrs = read_xattrs(file)
            after = os.fstat(file)
        except OSError:
            return None
        if len(data) != size or may_have_holes(after) or pack_state(after) != seen:
            return None
        return self._store_whole(data, xattrs, changed=False)

    def _store_whole(self, data: bytes, xattrs: Xattrs, *, changed: bool) -> bytes | FileRead:
        chunk_id = self._contents.one(data) if data else b""
        if changed or xattrs:
            items = ITEM.pack(chunk_id, len(data)) if data else b""
            return FileRead(len(data), 0, len(data), items, items, None, changed, xattrs)
        return chunk_id

    def _read_open(self, file: int, before: os.stat_result) -> Outcome:
        size = before.st_size
        whole = size <= self._whole and not may_have_holes(before)
        try:
            xattrs = read_xattrs(file)
            data = _read_all(file, size) if whole else b""
            changed = whole and (len(data) < size or _changed(file, before))
            regions = [(0, size)] if whole else _regions(file, before)
        except OSError as error:
            return why(error)
        if whole and len(data) > size and not changed:
            return self._read_untold(file, before, xattrs)
        if whole:
            return self._store_whole(data[:size], xattrs, changed=changed)
        return self._cut(file, before, regions, xattrs)

    def _read_untold(self, file: int, before: os.stat_result, xattrs: Xattrs) -> FileRead | str:
        """Read to its end a file that has more content than it tells, as those of /proc."""
        # Some of those give all at once or nothing, and refuse to when asked for very much.
        steps = [(place, _UNTOLD_STEP) for place in range(0, _MOST_UNTOLD, _UNTOLD_STEP)]
        read = self._cut(file, before, steps, xattrs)
        if isinstance(read, str):
            return read
        if read.content >= _MOST_UNTOLD:
            return "it has more content than the size that it tells, and no end to it is in sight"
        return read._replace(extents=None, changed=False)

    def _cut(
        self, file: int, before: os.stat_result, regions: Regions, xattrs: Xattrs
    ) -> FileRead | str:
        reader = _Reading(file, regions)
        flat = bytearray()
        try:
            expected = sum(length for _, length in regions)
            content = self._contents.cut(reader.fill, expected, flat)
        except _Unreadable as error:
            return error.reason
        dense = regions == [(0, before.st_size)]
        return FileRead(
            size=reader.end if reader.short else before.st_size,
            level=content.level,
            content=content.size,
            root=pack_items(content.root),
            flat=bytes(flat),
            extents=None if dense else cut_regions(regions, content.size),
            changed=reader.short or _changed(file, before),
            xattrs=xattrs,
        )


class _Unreadable(Exception):
    """The file cannot be read on. Errors of the repository and of listeners are others."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Reading(RegionReader):
    def fill(self, view: memoryview) -> int:
        try:
            return super().fill(view)
        except OSError as error:
            raise _Unreadable(why(error)) from error


def _read_all(file: int, size: int) -> bytes:
    """So many bytes from the start, and one more where there is more."""
    data = os.pread(file, size + 1, 0)
    while 0 < len(data) < size and (piece := os.pread(file, size + 1 - len(data), len(data))):
        data += piece
    return data


def _regions(file: int, before: os.stat_result) -> Regions:
    if may_have_holes(before):
        return data_regions(file, before.st_size)
    return [(0, before.st_size)]


def _changed(file: int, before: os.stat_result) -> bool:
    after = os.fstat(file)
    return (
        after.st_ctime_ns != before.st_ctime_ns
        or after.st_mtime_ns != before.st_mtime_ns
        or after.st_size != before.st_size
    )


def why(error: OSError) -> str:
    """Why a file is left out."""
    if error.errno == errno.ENOENT:
        return "it is gone"
    if error.errno == errno.ELOOP:
        return "it is not a regular file any more"
    return (error.strerror or str(error)).lower()
