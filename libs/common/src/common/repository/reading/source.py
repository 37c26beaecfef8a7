"""Reading a component back: entries, and content in the order in which it is stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from common.errors import Invalid
from common.repository.damage import Damaged
from common.repository.entry import Entry
from common.repository.format.blockreader import StoredEntry
from common.repository.format.snapshot import StoredComponent
from common.repository.reading.batching import Damage, StoredBatch, Wanted, batches
from common.repository.reading.comparison import held, holds
from common.repository.reading.extents import Position, advance, lay_out
from common.repository.reading.fetch import Fetcher, items
from common.repository.reading.trees import entries, warnings
from common.repository.tree import ContentDamaged

_BEGIN = Position()
_tuple = tuple.__new__  # what a NamedTuple calls in the end, in half the time


class ComponentSource:
    """The ``Source`` of one component of a backup."""

    def __init__(self, fetcher: Fetcher, component: StoredComponent) -> None:
        self._fetcher = fetcher
        self._component = component
        self._held: dict[bytes, bytes] = {}

    @property
    def details(self) -> Mapping[str, Any]:
        """What ``capture`` returned."""
        return self._component.details

    def entries(self, select: Callable[[bytes], bool] | None = None) -> Iterator[Entry]:
        """The entries that ``select`` accepts, in the order captured."""
        damage = Damage()
        for entry in entries(self._fetcher, self._component.tree, damage.note):
            if select is None or select(entry.path):
                yield entry
        damage.tell()

    def warnings(self) -> list[str]:
        """What was noticed when the component was backed up."""
        damage = Damage()
        return list(warnings(self._fetcher, self._component.tree, damage.note))

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        """The data of these entries, in the order in which it is stored."""
        damage = Damage()
        for batch in batches(self._fetcher, self._wanted(entries, damage)):
            for number in range(batch.slices):
                yield from batch.read(number, damage)
        damage.tell()

    def batches(self, entries: Iterable[Entry]) -> Iterator[StoredBatch]:
        """The same, to be read by several processes."""
        damage = Damage()
        yield from batches(self._fetcher, self._wanted(entries, damage))
        damage.tell()

    def expect(self, size: int) -> None:
        """Nobody counts here."""

    def holds(self, entry: Entry, file: int) -> bool:
        """Whether an open file has the content of an entry."""
        return holds(self._fetcher, _stored(entry), file)

    def held(self, entry: Entry, file: int) -> int:
        """How many bytes of an entry an open file has; ``batches`` leaves these out."""
        size, self._held[entry.path] = held(self._fetcher, _stored(entry), file)
        return size

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """The content of one file in order, holes as zeros."""
        stored = _stored(entry)
        done, position = 0, Position()
        for piece in self.data(stored):
            for place, part in lay_out(stored.extents, position, memoryview(piece)):
                yield from _zeros(place - done)
                yield bytes(part)
                done = place + len(part)
            position = advance(stored.extents, position, len(piece))
        yield from _zeros(stored.size - done)

    def data(self, entry: Entry) -> Iterator[bytes]:
        """The data of one file in order, without the holes between its regions."""
        stored = _stored(entry)
        try:
            for item in items(self._fetcher, stored.content):
                if isinstance(item, Damaged):
                    raise item
                yield self._fetcher.chunk(*item)
        except Damaged as error:
            raise ContentDamaged(error.message, paths=(stored.path,)) from error

    def _wanted(self, entries: Iterable[Entry], damage: Damage) -> Iterator[Wanted]:
        number = self._fetcher.catalog.number
        for entry in entries:
            stored = _stored(entry)
            level, _, root = stored.content
            if len(root) == 1 and not level and (found := number((item := root[0])[0])):
                yield _tuple(Wanted, (found, item[1], item[0], stored, _BEGIN))
            else:
                yield from self._listed(stored, damage)

    def _listed(self, stored: StoredEntry, damage: Damage) -> Iterator[Wanted]:
        """The chunks of any entry; by far the most entries have one."""
        position = _BEGIN
        found = iter(self._held.pop(stored.path, b""))
        for item in items(self._fetcher, stored.content):
            if isinstance(item, Damaged):
                # What comes after a lost piece of the list has no known place.
                damage.note(item, stored.path)
                return
            try:
                if not next(found, False):
                    number = self._fetcher.number(item[0])
                    yield Wanted(number, item[1], item[0], stored, position)
            except Damaged as error:
                damage.note(error, stored.path)
            position = advance(stored.extents, position, item[1])


def _stored(entry: Entry) -> StoredEntry:
    if not isinstance(entry, StoredEntry):
        raise Invalid(f"{entry.path[-200:]!r} does not come from a repository.")
    return entry


def _zeros(count: int) -> Iterator[bytes]:
    step = 1024**2
    while count > 0:
        yield bytes(min(count, step))
        count -= step
