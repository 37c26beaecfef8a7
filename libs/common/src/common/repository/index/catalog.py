"""The index in memory: which chunk is where."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import accumulate, groupby
from typing import NamedTuple, TypeVar

from common.errors import Corrupt, NotFound
from common.repository.format.index import MAX_SEGMENT, PackEntry, open_segment
from common.repository.format.pack import Directory
from common.repository.index.filling import Filling
from common.repository.index.table import ChunkTable
from common.repository.objects import ObjectSource, read_whole

T = TypeVar("T")
_PACK_SHIFT = 20
CHUNK_MASK = 2**_PACK_SHIFT - 1
_LAYOUTS = 64
FEW = 2**18
"""So many chunks are kept in a dict, of 40 MB at most: it is filled and asked several times as fast
as a table, and nobody shares it.
"""


OnDamaged = Callable[[str, Corrupt], None]
"""Takes the name of an object that cannot be read, and why."""


class Place(NamedTuple):
    """Where a chunk is: the pack by its number in the catalog, then record and offset in it."""

    pack: int
    record: int
    offset: int
    length: int


class Layout:
    """Where the records and chunks of one pack are."""

    def __init__(self, directory: Directory) -> None:
        self.records = directory.records
        self.offsets = directory.offsets()
        self._directory = directory

    @cached_property
    def starts(self) -> "array[int]":
        """The first chunk of each record, and at the end the number of chunks."""
        return array("I", accumulate((r.chunks for r in self.records), initial=0))

    @cached_property
    def borders(self) -> "array[int]":
        """Where each chunk begins in what all records together hold, and where the last ends."""
        return array("Q", accumulate(self._directory.lengths(), initial=0))

    def record(self, chunk: int) -> int:
        """The record that a chunk is in, by its number in the pack."""
        return bisect_right(self.starts, chunk) - 1

    def place(self, pack: int, chunk: int) -> Place:
        """The place of a chunk by its number in the pack."""
        record = self.record(chunk)
        begin, end = self.borders[chunk], self.borders[chunk + 1]
        return Place(pack, record, begin - self.borders[self.starts[record]], end - begin)


class Segment(NamedTuple):
    """An index segment: its name and the packs it lists."""

    name: str
    entries: tuple[PackEntry, ...]


class Catalog:
    """Every listed pack that is there, and where each chunk is.

    ``void`` are the listed packs that are not there; a pack that any segment lists as live is live.
    ``elsewhere`` may know an unlisted pack that holds a chunk.
    """

    def __init__(
        self, segments: Iterable[Segment], present: set[bytes], key_ids: set[bytes]
    ) -> None:
        self.packs: list[PackEntry] = []
        self.numbers: dict[bytes, int] = {}
        self.void: dict[bytes, PackEntry] = {}
        self._lost: dict[bytes, bytes] | None = None
        self.elsewhere: Callable[[bytes], bytes | None] = lambda _: None
        for segment in segments:
            for entry in segment.entries:
                if entry.pack_id in present:
                    self._note(entry)
                else:
                    self.void[entry.pack_id] = entry
        chunks = sum(len(pack.directory) for pack in self.packs)
        self.table: ChunkTable | dict[bytes, int] = ChunkTable(chunks) if chunks > FEW else {}
        self._enter(key_ids)
        self._layout = lru_cache(_LAYOUTS)(lambda number: Layout(self.packs[number].directory))
        self._copies = lru_cache(_LAYOUTS)(self._find_copies)

    def extend(self, entries: Iterable[PackEntry]) -> None:
        """Add packs that no segment lists. Chunks that are known stay where they were found."""
        filling = Filling(self.table)
        for entry in entries:
            number = self.numbers[entry.pack_id] = len(self.packs)
            self.packs.append(entry)
            filling.add(entry.directory.chunks, number << _PACK_SHIFT, 1)
        filling.flush()

    def find(self, chunk_id: bytes) -> Place | None:
        """Where a chunk is; None when no pack that is there has it."""
        number = self.table.get(chunk_id)
        return None if number is None else self.place(number)

    def number(self, chunk_id: bytes) -> int | None:
        """A chunk's number, to be given to ``place``; numbers are in the order of what is stored.
        None when no pack that is there has it.
        """
        return self.table.get(chunk_id)

    def length(self, number: int) -> int:
        """How long the chunk with this number is."""
        return self.packs[number >> _PACK_SHIFT].directory.length(number & CHUNK_MASK)

    def place(self, number: int) -> Place:
        """Where the chunk with this number is."""
        pack = number >> _PACK_SHIFT
        return self._layout(pack).place(pack, number & CHUNK_MASK)

    def others(self, chunk_id: bytes, pack: int) -> list[Place]:
        """Where a chunk of ``pack`` is besides. Looks through all packs, once for each ``pack``."""
        return [self.place(number) for number in self._copies(pack, len(self.packs))[chunk_id]]

    def _find_copies(self, pack: int, packs: int) -> Mapping[bytes, list[int]]:
        found: defaultdict[bytes, list[int]] = defaultdict(list)
        wanted = {chunk_id for chunk_id, _ in self.packs[pack].directory.all_chunks()}
        for other in range(packs):
            if other == pack:
                continue
            for place, (chunk_id, _) in enumerate(self.packs[other].directory.all_chunks()):
                if chunk_id in wanted:
                    found[chunk_id].append(other << _PACK_SHIFT | place)
        return found

    def lost(self, chunk_id: bytes) -> bytes | None:
        """The pack that had a chunk and is not there; None when no segment lists the chunk."""
        if self._lost is None:
            self._lost = {
                lost: pack_id
                for pack_id, entry in self.void.items()
                for lost, _ in entry.directory.all_chunks()
            }
        return self._lost.get(chunk_id)

    def layout(self, number: int) -> Layout:
        """Where the records of a pack are."""
        return self._layout(number)

    def _note(self, entry: PackEntry) -> None:
        number = self.numbers.get(entry.pack_id)
        if number is None:
            self.numbers[entry.pack_id] = len(self.packs)
            self.packs.append(entry)
            return
        self.packs[number] = agreed(self.packs[number], entry)

    def _enter(self, key_ids: set[bytes]) -> None:
        """Enter the chunks. Where a chunk has two places it is found in a pack that can be opened,
        and in a live one.
        """

        def rank(number: int) -> tuple[bool, bool]:
            pack = self.packs[number]
            return pack.key_id not in key_ids, pack.retired > 0

        filling = Filling(self.table)
        for _, numbers in groupby(sorted(range(len(self.packs)), key=rank), rank):
            for number in numbers:
                filling.add(self.packs[number].directory.chunks, number << _PACK_SHIFT, 1)
            filling.flush()


class PerChunk(dict[int, T]):
    """A number for each chunk of each pack of a catalog, by the pack's number. They are made by
    ``make``, of so many chunks, when a pack is first asked for: packs may still join the catalog.
    """

    def __init__(self, catalog: Catalog, make: Callable[[int], T]) -> None:
        super().__init__()
        self._catalog = catalog
        self._make = make

    def __missing__(self, pack: int) -> T:
        numbers = self[pack] = self._make(len(self._catalog.packs[pack].directory))
        return numbers


def agreed(one: PackEntry, other: PackEntry) -> PackEntry:
    """What two entries of a pack say: it is live if either is, else retired since the later."""
    retired = max(one.retired, other.retired) if one.retired and other.retired else 0
    return one if one.retired == retired else other._replace(retired=retired)


def pack_of(number: int) -> int:
    """The pack's number, from a chunk's number in the table of a catalog."""
    return number >> _PACK_SHIFT


def first_of(pack: int) -> int:
    """The number of a pack's first chunk."""
    return pack << _PACK_SHIFT


def load_segments(
    source: ObjectSource,
    index_key: bytes,
    damaged: OnDamaged | None = None,
    *,
    checked: bool = True,
) -> Iterator[Segment]:
    """Every index segment, verified. Where it is not ``checked``, only its ids may be used.

    A damaged one is an error, unless ``damaged`` takes it. One that vanishes while this runs was
    replaced by prune, which writes the successor first: the listing is repeated to find it.
    """
    done: set[str] = set()
    while True:
        vanished = False
        for info in source.list("index/"):
            if info.name in done:
                continue
            try:
                data = read_whole(source, info.name, MAX_SEGMENT)
                entries = open_segment(data, info.name, index_key, checked=checked)
                yield Segment(info.name, tuple(entries))
            except NotFound:
                vanished = True
                continue
            except Corrupt as error:
                if damaged is None:
                    raise
                damaged(info.name, error)
            done.add(info.name)
        if not vanished:
            return
