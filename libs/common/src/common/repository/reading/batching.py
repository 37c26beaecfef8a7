"""Content that is to be read, in batches and slices that follow the order in which it is stored."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from common.repository.damage import Damaged
from common.repository.entry import Entry
from common.repository.format.blockreader import StoredEntry
from common.repository.index.catalog import CHUNK_MASK, first_of, pack_of
from common.repository.reading.extents import Position, lay_out
from common.repository.reading.fetch import Fetcher
from common.repository.tree import ContentDamaged

_FIRST = 4096
"""References of the first batch: whoever reads it begins while the next one is collected."""

_REFERENCES = 24_576
_BATCH = 2**30
_SLICE_REFERENCES = 2048
_SLICE = 16 * 2**20
_NAMED = 3
_NONE = (-1, 0)

Piece = tuple[Entry, int, memoryview]

_number = attrgetter("number")
_length = attrgetter("length")


class Wanted(NamedTuple):
    """A chunk that an entry needs at a place of its data; ``number`` is the catalog's."""

    number: int
    length: int
    chunk_id: bytes
    entry: StoredEntry
    position: Position


class Damage:
    """What went wrong so far, to be told at the end."""

    def __init__(self) -> None:
        self._objects: dict[str, str] = {}
        self._paths: dict[bytes, None] = {}

    def note(self, error: Damaged, *paths: bytes) -> None:
        """An error, and the entries that are not whole for it."""
        self._objects.setdefault(error.name, error.message)
        self._paths.update(dict.fromkeys(paths))

    def tell(self) -> None:
        """Raise ``ContentDamaged`` if there was any."""
        if not self._objects:
            return
        messages = list(self._objects.values())
        more = len(messages) - _NAMED
        text = " ".join(messages[:_NAMED]) + (f" And {more} more objects." if more > 0 else "")
        raise ContentDamaged(text, paths=tuple(self._paths))


class StoredBatch:
    """The ``Batch`` of a component of a backup."""

    def __init__(self, fetcher: Fetcher, wanted: list[Wanted]) -> None:
        self._fetcher = fetcher
        self._wanted = sorted(wanted, key=_number)
        self._sizes = array("Q", accumulate(map(_length, self._wanted), initial=0))
        self._borders = list(self._cut())
        for pack in self._packs():
            fetcher.prepare(pack)
        self.size = self._sizes[-1]
        pieced = [entry for _, length, _, entry, _ in wanted if not _is_whole(entry, length)]
        self.pieced = list({entry.path: entry for entry in pieced}.values())

    @property
    def slices(self) -> int:
        """How many there are."""
        return len(self._borders) - 1

    def pieces(self, number: int) -> Iterator[Piece]:
        """The pieces of a slice; damage is raised after the last one."""
        damage = Damage()
        yield from self.read(number, damage)
        damage.tell()

    def arrived(self, count: int) -> None:
        """Nobody counts here."""

    def read(self, number: int, damage: Damage) -> Iterator[Piece]:
        """The pieces of a slice; damage is noted."""
        for wanted, data in self._chunks(number, damage):
            if wanted.entry.extents is None:
                yield wanted.entry, wanted.position.inside, data
                continue
            for place, part in lay_out(wanted.entry.extents, wanted.position, data):
                yield wanted.entry, place, part

    def _chunks(self, number: int, damage: Damage) -> Iterator[tuple[Wanted, memoryview]]:
        records = _Records(self._fetcher)
        data, before = memoryview(b""), _NONE
        for wanted in self._wanted[self._borders[number] : self._borders[number + 1]]:
            if wanted[:2] != before:
                before = _NONE
                try:
                    data = records.chunk(wanted)
                except Damaged as error:
                    damage.note(error, wanted.entry.path)
                    continue
                before = wanted[:2]
            yield wanted, data

    def _cut(self) -> Iterator[int]:
        """The borders of slices; no record is on both sides of one."""
        end, last = 0, len(self._wanted)
        while end < last:
            yield end
            full = bisect_left(self._sizes, self._sizes[end] + _SLICE)
            end = min(full, end + _SLICE_REFERENCES, last)
            while end < last and self._record(end) == self._record(end - 1):
                end += 1
        yield last

    def _packs(self) -> Iterator[int]:
        """The packs that are read."""
        begin = 0
        while begin < len(self._wanted):
            pack = pack_of(self._wanted[begin].number)
            yield pack
            begin = bisect_left(self._wanted, first_of(pack + 1), begin, key=_number)

    def _record(self, index: int) -> tuple[int, int]:
        place = self._fetcher.catalog.place(self._wanted[index].number)
        return place.pack, place.record


class _Records:
    """Gives chunks out of the record that was opened last."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._numbers = range(0)
        self._raw: memoryview | Damaged = memoryview(b"")
        self._borders = array("Q")
        self._first = self._base = 0

    def chunk(self, wanted: Wanted) -> memoryview:
        """A chunk, verified; from another pack where need be. Raises ``Damaged``."""
        chunk_id, length = wanted.chunk_id, wanted.length
        try:
            if wanted.number not in self._numbers:
                self._turn(wanted.number)
            if isinstance(self._raw, Damaged):
                raise self._raw
            index = wanted.number - self._first
            begin, end = self._borders[index] - self._base, self._borders[index + 1] - self._base
            if end - begin != length:
                raise self._fetcher.another_length(pack_of(wanted.number))
            data = self._raw[begin:end]
            self._fetcher.verify(chunk_id, data, pack_of(wanted.number))
        except Damaged as error:
            pack = pack_of(wanted.number)
            return memoryview(self._fetcher.spare(chunk_id, length, pack, error))
        return data

    def _turn(self, number: int) -> None:
        """Open the record that holds the chunk with this number."""
        pack, chunk = pack_of(number), number & CHUNK_MASK
        layout = self._fetcher.catalog.layout(pack)
        record = layout.record(chunk)
        begin, end = layout.starts[record], layout.starts[record + 1]
        self._first, self._borders = first_of(pack), layout.borders
        self._numbers = range(self._first + begin, self._first + end)
        self._base = self._borders[begin]
        try:
            self._raw = memoryview(self._fetcher.record(pack, record))
        except Damaged as error:
            self._raw = error


def batches(fetcher: Fetcher, wanted: Iterable[Wanted]) -> Iterator[StoredBatch]:
    """Batches of these chunks, of bounded size."""
    found: list[Wanted] = []
    size, most = 0, _FIRST
    for each in wanted:
        found.append(each)
        size += each.length
        if len(found) >= most or size >= _BATCH:
            yield StoredBatch(fetcher, found)
            found, size, most = [], 0, _REFERENCES
    if found:
        yield StoredBatch(fetcher, found)


def _is_whole(entry: StoredEntry, length: int) -> bool:
    """Whether a chunk of this length is the one of its entry, and all of its data is one region."""
    return length == entry.size and entry.extents is None and not entry.content.level
