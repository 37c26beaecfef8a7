"""Reading a component back: entries, and content in the order in which it is stored."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from typing import Any, NamedTuple

from common.errors import Invalid
from common.repository.damage import Damaged
from common.repository.entry import Entry
from common.repository.extents import Position, advance, lay_out
from common.repository.fetch import Buffer, Fetcher, items
from common.repository.format.blockreader import StoredEntry
from common.repository.format.snapshot import StoredComponent
from common.repository.tree import ContentDamaged
from common.repository.trees import entries, warnings

_WINDOW = 32_768
_THREADS = 2
_AHEAD = 4
_NAMED = 3


class _Wanted(NamedTuple):
    """A chunk that an entry needs, at a place of its data."""

    pack: int
    record: int
    offset: int
    length: int
    chunk_id: bytes
    entry: StoredEntry
    position: Position


class _Damage:
    """What went wrong so far, to be told at the end."""

    def __init__(self) -> None:
        self._objects: dict[str, str] = {}
        self._paths: dict[bytes, None] = {}

    def note(self, error: Damaged, *paths: bytes) -> None:
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


class ComponentSource:
    """The ``Source`` of one component of a backup."""

    def __init__(self, fetcher: Fetcher, component: StoredComponent) -> None:
        self._fetcher = fetcher
        self._component = component

    @property
    def details(self) -> Mapping[str, Any]:
        """What ``capture`` returned."""
        return self._component.details

    def entries(self, select: Callable[[bytes], bool] | None = None) -> Iterator[Entry]:
        """The entries that ``select`` accepts, in the order captured."""
        damage = _Damage()
        for entry in entries(self._fetcher, self._component.tree, damage.note):
            if select is None or select(entry.path):
                yield entry
        damage.tell()

    def warnings(self) -> list[str]:
        """What was noticed when the component was backed up."""
        damage = _Damage()
        return list(warnings(self._fetcher, self._component.tree, damage.note))

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        """The data of these entries, in the order in which it is stored."""
        damage = _Damage()
        everything = self._wanted(entries, damage)
        pool = ThreadPoolExecutor(_THREADS, "fetch")
        try:
            while window := sorted(islice(everything, _WINDOW), key=_stored_order):
                for wanted, piece in self._window(window, pool, damage):
                    for place, part in lay_out(wanted.entry.extents, wanted.position, piece):
                        yield wanted.entry, place, part
        finally:
            pool.shutdown(cancel_futures=True)
        damage.tell()

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
        stored, done = _stored(entry), 0
        try:
            for item in items(self._fetcher, stored.content):
                if isinstance(item, Damaged):
                    raise item
                yield self._fetcher.chunk(*item)
                done += item[1]
        except Damaged as error:
            raise ContentDamaged(error.message, paths=(stored.path,)) from error
        if done != stored.content.size:
            raise ContentDamaged("A chunk list does not add up.", paths=(stored.path,))

    def _wanted(self, entries: Iterable[Entry], damage: _Damage) -> Iterator[_Wanted]:
        for entry in entries:
            stored = _stored(entry)
            position, done = Position(), 0
            for item in items(self._fetcher, stored.content):
                if isinstance(item, Damaged):
                    # What comes after a lost piece of the list has no known place.
                    damage.note(item, stored.path)
                    break
                try:
                    place = self._fetcher.place(*item)
                except Damaged as error:
                    damage.note(error, stored.path)
                else:
                    yield _Wanted(*place, item[0], stored, position)
                done += item[1]
                position = advance(stored.extents, position, item[1])
            else:
                if done != stored.content.size:
                    name = f"chunk {stored.content.root[0][0].hex()}"
                    damage.note(Damaged(f"{name} does not add up.", name=name), stored.path)

    def _window(
        self, window: list[_Wanted], pool: ThreadPoolExecutor, damage: _Damage
    ) -> Iterator[tuple[_Wanted, memoryview]]:
        waiting: deque[tuple[Future[Buffer], list[_Wanted]]] = deque()
        for (pack, record), group in groupby(window, key=lambda wanted: wanted[:2]):
            waiting.append((pool.submit(self._fetcher.record, pack, record), list(group)))
            if len(waiting) >= _AHEAD:
                yield from self._pieces(*waiting.popleft(), damage)
        while waiting:
            yield from self._pieces(*waiting.popleft(), damage)

    def _pieces(
        self, future: Future[Buffer], group: list[_Wanted], damage: _Damage
    ) -> Iterator[tuple[_Wanted, memoryview]]:
        try:
            raw = memoryview(future.result())
        except Damaged as error:
            damage.note(error, *(wanted.entry.path for wanted in group))
            return
        verified: set[int] = set()
        for wanted in group:
            piece = raw[wanted.offset : wanted.offset + wanted.length]
            if wanted.offset not in verified:
                try:
                    self._fetcher.verify(wanted.chunk_id, piece, wanted.pack)
                except Damaged as error:
                    damage.note(error, wanted.entry.path)
                    continue
                verified.add(wanted.offset)
            yield wanted, piece


def _stored_order(wanted: _Wanted) -> tuple[int, int, int]:
    return wanted.pack, wanted.record, wanted.offset


def _stored(entry: Entry) -> StoredEntry:
    if not isinstance(entry, StoredEntry):
        raise Invalid(f"{entry.path[-200:]!r} does not come from a repository.")
    return entry


def _zeros(count: int) -> Iterator[bytes]:
    step = 1024**2
    while count > 0:
        yield bytes(min(count, step))
        count -= step
