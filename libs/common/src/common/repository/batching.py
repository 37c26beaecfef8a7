"""Content that is to be read, in batches and slices that follow the order in which it is stored."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from common.repository.catalog import pack_of
from common.repository.damage import Damaged
from common.repository.entry import Entry
from common.repository.extents import Position, lay_out
from common.repository.fetch import Buffer, Fetcher
from common.repository.format.blockreader import StoredEntry
from common.repository.tree import ContentDamaged

_FIRST = 4096
"""References of the first batch: whoever reads it begins while the next one is collected."""

_REFERENCES = 16_384
_BATCH = 2**30
_SLICE_REFERENCES = 2048
_SLICE = 16 * 2**20
_NAMED = 3

Piece = tuple[Entry, int, memoryview]


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
        self._borders = list(self._cut())
        for pack in {pack_of(each.number) for each in wanted}:
            fetcher.prepare(pack)
        self.size = sum(each.length for each in wanted)
        self.pieced = list(
            {
                each.entry.path: each.entry for each in wanted if not _comes_whole(each.entry)
            }.values()
        )

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
        data, before = memoryview(b""), -1
        for wanted in self._wanted[self._borders[number] : self._borders[number + 1]]:
            if wanted.number != before:
                before = -1
                try:
                    data = records.chunk(wanted)
                except Damaged as error:
                    damage.note(error, wanted.entry.path)
                    continue
                before = wanted.number
            yield wanted, data

    def _cut(self) -> Iterator[int]:
        """The borders of slices; no record is on both sides of one."""
        yield 0
        begin, size = 0, 0
        for end, wanted in enumerate(self._wanted):
            full = size >= _SLICE or end - begin >= _SLICE_REFERENCES
            if full and self._record(end) != self._record(end - 1):
                yield end
                begin, size = end, 0
            size += wanted.length
        yield len(self._wanted)

    def _record(self, index: int) -> tuple[int, int]:
        place = self._fetcher.catalog.place(self._wanted[index].number)
        return place.pack, place.record


class _Records:
    """Gives chunks out of the record that was opened last."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._at = (-1, -1)
        self._raw: memoryview | Damaged = memoryview(b"")

    def chunk(self, wanted: Wanted) -> memoryview:
        """A chunk, verified; from another pack where need be. Raises ``Damaged``."""
        place = self._fetcher.catalog.place(wanted.number)
        try:
            raw = self._record(place.pack, place.record)
            data = raw[place.offset : place.offset + wanted.length]
            self._fetcher.verify(wanted.chunk_id, data, place.pack)
        except Damaged as error:
            chunk_id, length = wanted.chunk_id, wanted.length
            return memoryview(self._fetcher.spare(chunk_id, length, place.pack, error))
        return data

    def _record(self, pack: int, record: int) -> memoryview:
        if self._at != (pack, record):
            self._at = pack, record
            try:
                self._raw = memoryview(self._open(pack, record))
            except Damaged as error:
                self._raw = error
        if isinstance(self._raw, Damaged):
            raise self._raw
        return self._raw

    def _open(self, pack: int, record: int) -> Buffer:
        return self._fetcher.record(pack, record)


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


def _number(wanted: Wanted) -> int:
    return wanted.number


def _comes_whole(entry: StoredEntry) -> bool:
    return entry.extents is None and entry.content.level == 0 and len(entry.content.root) == 1
