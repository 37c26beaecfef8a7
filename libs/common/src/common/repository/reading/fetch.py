"""Reading chunks: find, read, open, decompress, verify."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import suppress
from functools import lru_cache
from threading import local

from blake3 import blake3

from common.byteslike import BytesLike
from common.errors import Corrupt, NotFound, Unavailable
from common.repository.damage import Damaged
from common.repository.format.chunklist import ChunkList, Item, parse_items
from common.repository.format.expansion import expand
from common.repository.format.index import PackEntry
from common.repository.format.names import pack_name
from common.repository.format.pack import (
    CHUNK_ID_SIZE,
    HEADER_SIZE,
    PackHeader,
    PackSeal,
)
from common.repository.index.catalog import Catalog, Place
from common.repository.objects import ObjectSource
from common.repository.reading.keyring import KeyRing

_SEALS = 256
_RECORDS = 8


class _Naming(local):
    """A hasher for each thread: making one takes as long as hashing a small chunk."""

    def __init__(self, key: bytes) -> None:
        self.hasher = blake3(key=key)


class Fetcher:
    """Reads chunks of a repository. May be used by several threads at once.

    When the index knows nothing of a chunk, ``recover`` is asked, once, for packs that it misses.
    """

    def __init__(
        self,
        source: ObjectSource,
        catalog: Catalog,
        keys: KeyRing,
        chunk_id_key: bytes,
        recover: Callable[[], Iterable[PackEntry]] | None = None,
    ) -> None:
        self.catalog = catalog
        self._source = source
        self._keys = keys
        self._naming = _Naming(chunk_id_key)
        self._recover = recover
        self._seal = lru_cache(_SEALS)(self._open_pack)
        self._recent = lru_cache(_RECORDS)(self.record)

    def place(self, chunk_id: bytes, length: int) -> Place:
        """Where a chunk is.

        Raises:
            Damaged: nowhere; the error names the missing pack where the index knows it.
        """
        found = self.catalog.place(self.number(chunk_id))
        if found.length != length:
            raise self.another_length(found.pack)
        return found

    def another_length(self, pack: int) -> Damaged:
        """What is wrong with a chunk in this pack that is longer or shorter than is needed."""
        name = self.catalog.packs[pack].name
        return Damaged(f"{name} has a chunk of another length than is needed.", name=name)

    def number(self, chunk_id: bytes) -> int:
        """The number that the catalog has for a chunk. Raises ``Damaged`` as ``place`` does."""
        found = self.catalog.number(chunk_id)
        if found is None and self._recover is not None:
            self._extend()
            found = self.catalog.number(chunk_id)
        if found is None:
            raise self._missing(chunk_id)
        return found

    def _extend(self) -> None:
        recover, self._recover = self._recover, None
        if recover is not None:
            self.catalog.extend(recover())

    def record(self, pack: int, number: int) -> BytesLike:
        """A record, decompressed; its chunks are not verified yet. Raises ``Damaged``."""
        name = self.catalog.packs[pack].name
        layout = self.catalog.layout(pack)
        record = layout.records[number]
        try:
            sealed = self._source.read(name, layout.offsets[number], record.stored)
            opened = self._seal(pack).open_record(number, sealed)
            return expand(record.codec, opened, record.raw)
        except NotFound as error:
            raise Damaged.gone(name) from error
        except Unavailable as error:
            raise Damaged.unread(name, error) from error
        except Corrupt as error:
            raise Damaged.because(name, error) from error

    def chunk(self, chunk_id: bytes, length: int) -> bytes:
        """One chunk, verified; for chunks that are read in the order they were written."""
        place = self.place(chunk_id, length)
        try:
            return self._at(place, chunk_id)
        except Damaged as error:
            return self.spare(chunk_id, length, place.pack, error)

    def spare(self, chunk_id: bytes, length: int, pack: int, error: Damaged) -> bytes:
        """A chunk that is damaged in one pack, from another one.

        Raises:
            Damaged: ``error``, when there is none.
        """
        for place in self.others(chunk_id, length, pack):
            with suppress(Damaged):
                return self._at(place, chunk_id)
        raise error

    def others(self, chunk_id: bytes, length: int, pack: int) -> Iterator[Place]:
        """Where a chunk is besides ``pack``."""
        self._extend()
        for place in self.catalog.others(chunk_id, pack):
            if place.length == length:
                yield place

    def _at(self, place: Place, chunk_id: bytes) -> bytes:
        raw = self._recent(place.pack, place.record)
        with memoryview(raw) as view:
            data = bytes(view[place.offset : place.offset + place.length])
        self.verify(chunk_id, data, place.pack)
        return data

    def verify(self, chunk_id: bytes, data: BytesLike, pack: int) -> None:
        """Raise ``Damaged`` unless the data is what its id says."""
        if not self.names(chunk_id, data):
            raise self._false(pack)

    def verify_record(self, raw: BytesLike, chunks: Iterable[Item], pack: int) -> None:
        """Raise ``Damaged`` unless a record is these chunks, one after another."""
        names, view, end = self.names, memoryview(raw), 0
        for chunk_id, length in chunks:
            begin, end = end, end + length
            if not names(chunk_id, view[begin:end]):
                raise self._false(pack)

    def _false(self, pack: int) -> Damaged:
        name = self.catalog.packs[pack].name
        return Damaged(f"{name} holds other data than its directory says.", name=name)

    def names(self, chunk_id: bytes, data: BytesLike) -> bool:
        """Whether that is the id of this data."""
        hasher = self._naming.hasher
        hasher.reset()
        hasher.update(data)
        return hasher.digest(length=CHUNK_ID_SIZE) == chunk_id

    def _missing(self, chunk_id: bytes) -> Damaged:
        lost = self.catalog.lost(chunk_id)
        if lost is not None:
            return Damaged.gone(pack_name(lost))
        unlisted = self.catalog.elsewhere(chunk_id)
        if unlisted is not None:
            name = pack_name(unlisted)
            return Damaged(f"{name} is in no index segment: one is damaged or gone.", name=name)
        return Damaged.gone(f"chunk {chunk_id.hex()}")

    def seal(self, pack: int) -> PackSeal:
        """What opens a pack. Raises ``NotFound``, or ``Corrupt`` for its header or its key."""
        return self._seal(pack)

    def prepare(self, pack: int) -> None:
        """Unwrap what opens a pack, for all processes that are forked from now on."""
        with suppress(Corrupt):  # told when the pack is read
            self._keys.get(self.catalog.packs[pack].key_id)

    def _open_pack(self, pack: int) -> PackSeal:
        entry = self.catalog.packs[pack]
        header = PackHeader.parse(self._source.read(entry.name, 0, HEADER_SIZE), entry.name)
        if header.key_id != entry.key_id:
            raise Corrupt("its header names another key than the index.")
        return header.seal(self._keys.get(header.key_id).key)


Visit = Callable[[bytes, int], object]
Sums = MutableMapping[tuple[bytes, int], int]
"""How many bytes of content there are below chunks of items, by id and level."""


def items(
    fetcher: Fetcher, chunks: ChunkList, visit: Visit | None = None, sums: Sums | None = None
) -> Iterator[Item | Damaged]:
    """The items of a content in order; a ``Damaged`` stands for those that cannot be read, and for
    a sum that is not what the list says: no more is given than that.

    ``visit`` is told the chunks of items that led there, each before it is read. With ``sums`` what
    is below a chunk of items is given only once, and left out where they have it already: a hostile
    list can name the same chunk without end. After a ``Damaged`` the sums are of no use elsewhere.
    """
    walk, whole = _Walk(fetcher, visit, sums), True
    for item in walk.items(chunks.level, chunks.root):
        if isinstance(item, Damaged):
            whole = False
        else:
            walk.done += item[1]
            if walk.done > chunks.size:
                break
        yield item
    if walk.done > chunks.size or (whole and walk.done < chunks.size):
        name = f"chunk {chunks.root[0][0].hex()}" if chunks.root else "a chunk list"
        amount = "more" if walk.done > chunks.size else "less"
        yield Damaged(f"{name} begins a list with {amount} in it than it says.", name=name)


class _Walk:
    """Goes through a chunk list; ``done`` are the bytes of content that were passed."""

    def __init__(self, fetcher: Fetcher, visit: Visit | None, sums: Sums | None) -> None:
        self._fetcher = fetcher
        self._visit = visit
        self._sums = sums
        self.done = 0

    def items(self, level: int, found: Iterable[Item | Damaged]) -> Iterator[Item | Damaged]:
        """The items below these; who takes them counts them."""
        if level == 0:
            yield from found
            return
        for item in found:
            if isinstance(item, Damaged):
                yield item
                continue
            if self._visit is not None:
                self._visit(*item)
            known = None if self._sums is None else self._sums.get((item[0], level))
            if known is not None:
                self.done += known
                continue
            begin = self.done
            yield from self.items(level - 1, below(self._fetcher, *item))
            if self._sums is not None:
                self._sums[item[0], level] = self.done - begin


def below(fetcher: Fetcher, chunk_id: bytes, length: int) -> Iterator[Item | Damaged]:
    """The items in a chunk of items."""
    name = f"chunk {chunk_id.hex()}"
    try:
        yield from parse_items(fetcher.chunk(chunk_id, length), name)
    except Corrupt as error:
        yield Damaged.because(name, error)
