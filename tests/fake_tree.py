"""A repository of one component, in memory: a Sink that becomes a Source."""

import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO

from common.repository.entry import Entry, EntryType, check_entry
from common.repository.found import Found, is_file
from common.repository.tree import Batch, ContentDamaged
from trees import extents

PIECE = 96 << 10
BATCH = 11


class FakeTree:
    """Keeps what a component adds and gives it back in pieces, interleaved and out of order.

    Content of the paths in ``damaged`` is missing when it is read. As a writer may, it only opens
    the files added by path, and reads them when ``finish`` is called, unless ``eager``.
    """

    def __init__(self, *, eager: bool = True) -> None:
        self.taken: list[Entry] = []
        self.data: dict[bytes, list[tuple[int, bytes]]] = {}
        self.warnings: list[str] = []
        self.details: Mapping[str, Any] = {}
        self.damaged: set[bytes] = set()
        self.expected: list[int] = []
        self._later: list[tuple[Entry, int]] = []
        self._eager = eager

    def add(self, entry: Entry) -> None:
        check_entry(entry)
        self.taken.append(entry)

    def add_found(self, found: Sequence[Found]) -> None:
        for each in found:
            self._add_found(each)

    def _add_found(self, found: Found) -> None:
        if not is_file(found.state):
            self.add(found.describe())
            return
        try:
            entry = found.describe()
            file = os.open(
                found.name,
                os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK,
                dir_fd=found.folder.descriptor,
            )
        except OSError as error:
            self.warn(f"{found.path!r} was left out: {error.strerror}")
            return
        check_entry(entry)
        self._later.append((entry, file))
        self.taken.append(entry)
        if self._eager:
            self.finish()

    def finish(self) -> None:
        """Read what was added by path."""
        for entry, file in self._later:
            size, regions = os.fstat(file).st_size, extents(b"/proc/self/fd/%d" % file)
            self.data[entry.path] = [
                (offset, os.pread(file, min(PIECE, start + length - offset), offset))
                for start, length in regions
                for offset in range(start, start + length, PIECE)
            ]
            os.close(file)
            sparse = tuple(regions) if regions != [(0, size)] and size else None
            self.taken[self.taken.index(entry)] = replace(entry, size=size, extents=sparse)
        self._later.clear()

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        check_entry(entry)
        pieces, size = [], 0
        while piece := stream.read(PIECE):
            pieces.append((size, bytes(piece)))
            size += len(piece)
        self.data[entry.path] = pieces
        self.taken.append(replace(entry, size=size))

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def entries(self, select: Callable[[bytes], bool] | None = None) -> Iterator[Entry]:
        return (entry for entry in self.taken if select is None or select(entry.path))

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        order, missing = random.Random(1), []
        files = (entry for entry in entries if entry.type is EntryType.FILE)
        while batch := list(islice(files, BATCH)):
            missing += [entry.path for entry in batch if entry.path in self.damaged]
            pieces = [
                (entry, offset, piece)
                for entry in batch
                for offset, piece in self.data[entry.path]
                if not (entry.path in self.damaged and offset == 0)
            ]
            order.shuffle(pieces)
            for entry, offset, piece in pieces:
                with memoryview(piece) as view:
                    yield entry, offset, view
        if missing:
            raise ContentDamaged("Some content is damaged.", paths=tuple(missing))

    def batches(self, entries: Iterable[Entry]) -> Iterator[Batch]:
        files = (entry for entry in entries if entry.type is EntryType.FILE and entry.size)
        while found := list(islice(files, BATCH)):
            yield FakeBatch(self, found)

    def expect(self, size: int) -> None:
        self.expected.append(size)

    def holds(self, entry: Entry, file: int) -> bool:
        same = (os.pread(file, len(data), place) == data for place, data in self.data[entry.path])
        return entry.extents is None and os.fstat(file).st_size == entry.size and all(same)

    def held(self, entry: Entry, file: int) -> int:
        return 0

    def stream(self, entry: Entry) -> Iterator[bytes]:
        if entry.path in self.damaged:
            raise ContentDamaged(paths=(entry.path,))
        position = 0
        for offset, piece in self.data[entry.path]:
            if offset > position:
                yield bytes(offset - position)
            yield piece
            position = offset + len(piece)
        if position < entry.size:
            yield bytes(entry.size - position)


class FakeBatch:
    """Some files of a tree, in two slices."""

    slices = 2

    def __init__(self, tree: FakeTree, files: list[Entry]) -> None:
        self._tree, self._files = tree, files
        self.size = sum(entry.size for entry in files)
        self.pieced = [entry for entry in files if len(tree.data[entry.path]) > 1 or entry.extents]

    def pieces(self, number: int) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        return self._tree.contents(self._files[number :: self.slices])

    def arrived(self, count: int) -> None:
        pass
