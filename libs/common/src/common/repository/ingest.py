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
from common.repository.filecache import Extents, FileCache, Remembered, now
from common.repository.format.block import MAX_EXTENTS
from common.repository.format.chunklist import ITEM, ChunkList, pack_items
from common.repository.listing import ListWriter
from common.repository.storing import ChunkStore

_BLOCK = 512
_PROBABLY = 64 * 1024
"""How long a stream is, until it turns out longer."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

Regions = list[tuple[int, int]]
NOTHING = ChunkList()


class NotReadable(Exception):
    """A file cannot be opened as the regular file that it should be."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: the entry as it turned out, its content, and what is odd about it."""

    entry: Entry
    content: ChunkList
    oddity: str = ""


class Ingest:
    """Reads content into a store. ``advance`` is told the number of bytes after each chunk;
    ``stored`` says whether a chunk is there. A file that ``cache`` knows is not read.
    """

    def __init__(
        self,
        chunker: Chunker,
        contents: ChunkStore,
        lists: ChunkStore,
        advance: Callable[[int], None],
        stored: Callable[[bytes], bool],
    ) -> None:
        self._chunker = chunker
        self._contents = contents
        self._lists = lists
        self._advance = advance
        self._stored = stored
        self.cache: FileCache | None = None

    def stream(self, entry: Entry, stream: BinaryIO) -> Read:
        """Read a stream to its end."""
        content = self._content(_filler(stream), _PROBABLY)
        return Read(replace(entry, size=content.size, extents=None), content)

    def regions(self, entry: Entry, stream: BinaryIO) -> Read:
        """Read the regions of data that a sparse file has, one after another."""
        content = self._content(_filler(stream), _PROBABLY)
        return Read(entry, content)

    def file(self, entry: Entry, path: bytes | Path) -> Read:
        """Read a regular file.

        Raises:
            NotReadable: it is gone, something else, or may not or cannot be read.
        """
        known = self._remembered(entry, path) if self.cache else None
        if known is not None:
            return known
        try:
            descriptor = os.open(path, _FLAGS)
        except OSError as error:
            raise NotReadable(_why(error)) from error
        try:
            return self._file(entry, descriptor)
        finally:
            os.close(descriptor)

    def _remembered(self, entry: Entry, path: bytes | Path) -> Read | None:
        """An unchanged file, when all of its chunks are stored still."""
        status = _lstat(path)
        if self.cache is None or not stat.S_ISREG(status.st_mode):
            return None
        found = self.cache.get(entry.path, status)
        if found is None:
            return None
        if not all(self._stored(chunk_id) for chunk_id, _ in found.items()):
            return None
        content = self._listed(found)
        self._advance(content.size)
        self.cache.keep(found)
        return Read(_as_read(entry, status.st_size, status, found.extents), content)

    def _file(self, entry: Entry, descriptor: int) -> Read:
        read_at = now()
        before = _stat(descriptor)
        size = before.st_size
        if not stat.S_ISREG(before.st_mode):
            raise NotReadable("it is not a regular file any more")
        dense = before.st_blocks * _BLOCK >= size
        if dense and size <= self._chunker.whole:
            content, short = self._small(descriptor, size)
            size, extents, flat = content.size, None, bytearray(pack_items(content.root))
        else:
            with _reading():
                regions = [(0, size)] if dense else _regions(descriptor, size)
            reader = _RegionReader(descriptor, regions)
            flat = bytearray()
            content = self._content(reader.fill, size, flat)
            short = reader.short
            size = reader.end if short else size
            extents = None if regions == [(0, before.st_size)] else _cut(regions, content.size)
        changed = short or _state(before) != _state(_stat(descriptor))
        if self.cache is not None and not changed:
            self.cache.put(entry.path, before, read_at, bytes(flat), extents)
        entry = _as_read(entry, size, before, extents)
        return Read(entry, content, "it changed while it was read" if changed else "")

    def _small(self, descriptor: int, size: int) -> tuple[ChunkList, bool]:
        """The content of a file that is one chunk, and whether it was shorter than thought."""
        if not size:
            return NOTHING, False
        with _reading():
            data = os.pread(descriptor, size, 0)
            while 0 < len(data) < size and (piece := os.pread(descriptor, size, len(data))):
                data += piece
        data = data[:size]
        self._advance(len(data))
        if not data:
            return NOTHING, True
        item = (self._contents.put(data), len(data))
        return ChunkList(0, len(data), (item,)), len(data) < size

    def _listed(self, found: Remembered) -> ChunkList:
        """The content that these chunks make up."""
        items = ListWriter(self._lists)
        for item in found.items():
            items.add(*item)
        return items.finish()

    def _content(self, fill: Fill, expected: int, flat: bytearray | None = None) -> ChunkList:
        """Store a content; ``flat`` gets all of its items, 20 bytes each."""
        items = ListWriter(self._lists)
        for chunk in self._chunker.cut(fill, expected):
            chunk_id = self._contents.put(chunk)
            items.add(chunk_id, len(chunk))
            if flat is not None:
                flat += ITEM.pack(chunk_id, len(chunk))
            self._advance(len(chunk))
        return items.finish()


class _RegionReader:
    """Reads the data of a file, region after region, by position."""

    def __init__(self, descriptor: int, regions: Regions) -> None:
        self._descriptor = descriptor
        self._regions = iter(regions)
        self._place, self._end = 0, 0
        self.short = False
        self.end = 0

    def fill(self, view: memoryview) -> int:
        """Read what fits; 0 at the end of the last region, or where the file was cut."""
        while self._place == self._end and not self.short:
            region = next(self._regions, None)
            if region is None:
                return 0
            self._place, self._end = region[0], sum(region)
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


def _as_read(entry: Entry, size: int, status: os.stat_result, extents: Extents | None) -> Entry:
    """The entry with what was found when its file was read."""
    if (entry.size, entry.mtime_ns, entry.extents) == (size, status.st_mtime_ns, extents):
        return entry
    return replace(entry, size=size, mtime_ns=status.st_mtime_ns, extents=extents)


def _lstat(path: bytes | Path) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise NotReadable(_why(error)) from error


def _stat(descriptor: int) -> os.stat_result:
    try:
        return os.fstat(descriptor)
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


def _regions(descriptor: int, size: int) -> Regions:
    """The regions that hold data; small holes are filled where there are too many."""
    smallest_hole = 1
    while len(regions := list(_joined(_data(descriptor, size), smallest_hole))) > MAX_EXTENTS:
        smallest_hole = max(4096, smallest_hole * 4)
    return regions


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


def _joined(regions: Iterator[tuple[int, int]], smallest_hole: int) -> Iterator[tuple[int, int]]:
    """The regions, without the holes between them that are smaller than that."""
    begun = end = -1
    for start, length in regions:
        if begun >= 0 and start - end < smallest_hole:
            end = start + length
            continue
        if begun >= 0:
            yield begun, end - begun
        begun, end = start, start + length
    if begun >= 0:
        yield begun, end - begun


def _cut(regions: Regions, size: int) -> tuple[tuple[int, int], ...]:
    """The regions up to so many bytes of data: the file may have become shorter."""
    kept = []
    for start, length in regions:
        if size <= 0:
            break
        kept.append((start, min(length, size)))
        size -= length
    return tuple(kept)
