"""Reading files and streams into chunks."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from common.repository.chunker import Chunker, Fill
from common.repository.entry import Entry
from common.repository.format.block import MAX_EXTENTS
from common.repository.format.chunklist import ChunkList
from common.repository.listing import ListWriter
from common.repository.storing import ChunkStore

_BLOCK = 512
_PROBABLY = 64 * 1024
"""How long a stream is, until it turns out longer."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

Extents = list[tuple[int, int]]


class NotReadable(Exception):
    """A file cannot be opened as the regular file that it should be."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: the entry as it turned out, its content, and what is odd about it."""

    entry: Entry
    content: ChunkList
    oddity: str = ""


class Ingest:
    """Reads content into a store. ``advance`` is told the number of bytes after each chunk."""

    def __init__(
        self,
        chunker: Chunker,
        contents: ChunkStore,
        lists: ChunkStore,
        advance: Callable[[int], None],
    ) -> None:
        self._chunker = chunker
        self._contents = contents
        self._lists = lists
        self._advance = advance

    def stream(self, entry: Entry, stream: BinaryIO) -> Read:
        """Read a stream to its end."""
        content = self._content(_filler(stream), _PROBABLY)
        return Read(replace(entry, size=content.size, extents=None), content)

    def file(self, entry: Entry, path: bytes | Path) -> Read:
        """Read a regular file.

        Raises:
            NotReadable: it is gone, something else, or may not or cannot be read.
        """
        with _reading():
            descriptor = os.open(path, _FLAGS)
        try:
            return self._file(entry, descriptor)
        finally:
            os.close(descriptor)

    def _file(self, entry: Entry, descriptor: int) -> Read:
        with _reading():
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise NotReadable("it is not a regular file any more")
            extents = _extents(descriptor, before)
        reader = _ExtentReader(descriptor, extents)
        content = self._content(reader.fill, before.st_size)
        after = os.fstat(descriptor)
        size = before.st_size if not reader.short else reader.end
        if extents == [(0, before.st_size)] or not before.st_size:
            kept = None
        else:
            kept = tuple(_cut(extents, content.size))
        found = replace(entry, size=size, mtime_ns=before.st_mtime_ns, extents=kept)
        changed = reader.short or _state(before) != _state(after)
        return Read(found, content, "it changed while it was read" if changed else "")

    def _content(self, fill: Fill, expected: int) -> ChunkList:
        items = ListWriter(self._lists)
        for chunk in self._chunker.cut(fill, expected):
            items.add(self._contents.put(chunk), len(chunk))
            self._advance(len(chunk))
        return items.finish()


class _ExtentReader:
    """Reads the data of a file, region after region, by position."""

    def __init__(self, descriptor: int, extents: Extents) -> None:
        self._descriptor = descriptor
        self._extents = iter(extents)
        self._place, self._end = 0, 0
        self.short = False
        self.end = 0

    def fill(self, view: memoryview) -> int:
        """Read what fits; 0 at the end of the last region, or where the file was cut."""
        while self._place == self._end and not self.short:
            extent = next(self._extents, None)
            if extent is None:
                return 0
            self._place, self._end = extent[0], sum(extent)
        if self.short:
            return 0
        wanted = min(len(view), self._end - self._place)
        with _reading():
            count = os.preadv(self._descriptor, [view[:wanted]], self._place)
        self._place += count
        self.end = self._place
        self.short = not count
        return count


@contextmanager
def _reading() -> Iterator[None]:
    """Errors of the file that is read, apart from those of the repository and of listeners."""
    try:
        yield
    except OSError as error:
        raise NotReadable(_why(error)) from error


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _why(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "it is gone"
    if error.errno == errno.ELOOP:
        return "it is not a regular file any more"
    return (error.strerror or str(error)).lower()


def _filler(stream: BinaryIO) -> Fill:
    def fill(view: memoryview) -> int:
        piece = stream.read(min(len(view), 1024**2))
        view[: len(piece)] = piece
        return len(piece)

    return fill


def _extents(descriptor: int, found: os.stat_result) -> Extents:
    """The regions that hold data; small holes are filled where there are too many."""
    size = found.st_size
    if found.st_blocks * _BLOCK >= size:
        return [(0, size)] if size else []
    smallest_hole = 1
    while len(extents := list(_joined(_data(descriptor, size), smallest_hole))) > MAX_EXTENTS:
        smallest_hole = max(4096, smallest_hole * 4)
    return extents


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    place = 0
    while place < size:
        try:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
            place = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            if error.errno != errno.EINVAL:
                raise
            yield place, size - place  # this file system does not know its holes
            return
        if start < place:
            yield start, place - start


def _joined(extents: Iterator[tuple[int, int]], smallest_hole: int) -> Iterator[tuple[int, int]]:
    """The extents, without the holes between them that are smaller than that."""
    open_start = open_end = -1
    for start, length in extents:
        if open_start >= 0 and start - open_end < smallest_hole:
            open_end = start + length
            continue
        if open_start >= 0:
            yield open_start, open_end - open_start
        open_start, open_end = start, start + length
    if open_start >= 0:
        yield open_start, open_end - open_start


def _cut(extents: Extents, size: int) -> Iterator[tuple[int, int]]:
    """The extents up to so many bytes of data: the file may have become shorter."""
    for start, length in extents:
        if size <= 0:
            return
        yield start, min(length, size)
        size -= length
