"""Verifying one pack against its index entry and, record by record, its content.

Its name, the hash of its bytes, is for those who have no key. Here a seal binds each byte to the
pack, so that hashing it once more would find nothing (ADR 0133).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from common.errors import Corrupt, NotFound, Unavailable
from common.repository.damage import Damaged
from common.repository.format.expansion import expand
from common.repository.format.index import PackEntry
from common.repository.format.pack import (
    HEADER_SIZE,
    TRAILER_SIZE,
    PackSeal,
    directory_place,
)
from common.repository.objects import ObjectSource
from common.repository.reading.fetch import Fetcher

STRETCH = 2**20
"""Read at once: no more than stays near the processor until it is hashed, opened, expanded."""


@dataclass(slots=True)
class PackVerdict:
    """What is wrong with a pack, or None. ``records`` cannot be used; None means all of them."""

    name: str
    error: Damaged | None = None
    records: set[int] | None = field(default_factory=set)
    read: int = 0

    def blame(self, error: Corrupt) -> None:
        """Note the first thing that is wrong."""
        self.error = self.error or Damaged.because(self.name, error)


def verify_pack(
    source: ObjectSource, fetcher: Fetcher, number: int, *, read_data: bool
) -> PackVerdict:
    """Look at pack ``number`` of the catalog: at its ends, or at every byte of it."""
    entry = fetcher.catalog.packs[number]
    verdict = PackVerdict(entry.name)
    try:
        seal = fetcher.seal(number)
        if read_data:
            _read_all(source, fetcher, number, seal, verdict)
        else:
            _look(source, fetcher, number, seal, verdict)
    except NotFound:
        verdict.blame(Damaged.gone(entry.name))
        verdict.records = None
    except Unavailable as error:
        verdict.blame(Damaged.unread(entry.name, error))
        verdict.records = None
    except Corrupt as error:
        verdict.blame(error)
        verdict.records = None
    return verdict


def _look(
    source: ObjectSource, fetcher: Fetcher, number: int, seal: PackSeal, verdict: PackVerdict
) -> None:
    """The end of the pack: that it is whole, and the one that the index means."""
    entry = fetcher.catalog.packs[number]
    start = fetcher.catalog.layout(number).offsets[-1]
    tail = source.read(entry.name, start, entry.size - start + 1)
    verdict.read = HEADER_SIZE + len(tail)
    if len(tail) != entry.size - start:
        raise Corrupt(f"{entry.name} has another size than the index says.")
    _verify_end(seal, tail, entry)


class _Reading:
    """Every byte of one pack, read once and in order, some records at a time."""

    def __init__(self, source: ObjectSource, fetcher: Fetcher, number: int, seal: PackSeal) -> None:
        self._source = source
        self._fetcher = fetcher
        self._number = number
        self._seal = seal
        self._entry = fetcher.catalog.packs[number]
        self._offsets = fetcher.catalog.layout(number).offsets
        self.read = HEADER_SIZE
        """Bytes of the pack, with the header that the seal was made of."""

        self.bad: set[int] = set()
        self.first: Corrupt | None = None
        """What is wrong with the first bad record."""

    def run(self) -> bytes:
        """Open every record and verify its chunks; the bytes behind the last one."""
        records = self._entry.directory.records_with_chunks()
        for stretch in _stretches(self._offsets):
            start, end = self._offsets[stretch.start], self._offsets[stretch.stop]
            data = memoryview(self._take(start, end - start))
            for place, (record, chunks) in zip(stretch, records, strict=False):
                sealed = data[self._offsets[place] - start : self._offsets[place + 1] - start]
                try:
                    raw = expand(record.codec, self._seal.open_record(place, sealed), record.raw)
                    self._fetcher.verify_record(raw, chunks, self._number)
                except Corrupt as error:
                    self.first = self.first or error.with_traceback(None)
                    self.bad.add(place)
        return self._take(self._offsets[-1], self._entry.size + 1 - self._offsets[-1])

    def _take(self, start: int, length: int) -> bytes:
        data = self._source.read(self._entry.name, start, length)
        self.read += len(data)
        return data


def _stretches(offsets: list[int]) -> Iterator[range]:
    """The records of a pack, as many at a time as are read at once."""
    begin, last = 0, len(offsets) - 1
    for end in range(1, last + 1):
        if end == last or offsets[end + 1] - offsets[begin] > STRETCH:
            yield range(begin, end)
            begin = end


def _read_all(
    source: ObjectSource, fetcher: Fetcher, number: int, seal: PackSeal, verdict: PackVerdict
) -> None:
    entry = fetcher.catalog.packs[number]
    reading = _Reading(source, fetcher, number, seal)
    try:
        tail = reading.run()
    except Unavailable as error:
        verdict.blame(Damaged.unread(entry.name, error))
        verdict.records = set(_unread(fetcher, number))
        return
    verdict.read, verdict.records = reading.read, reading.bad
    if reading.first is not None:
        verdict.blame(reading.first)
    if reading.read != entry.size:
        verdict.blame(Corrupt(f"{entry.name} has another size than the index says."))
        return
    try:
        _verify_end(seal, tail, entry)
    except Corrupt as error:
        verdict.blame(error)


def _unread(fetcher: Fetcher, number: int) -> Iterator[int]:
    """The records that are bad, each read by itself: some of the pack cannot be."""
    directory = fetcher.catalog.packs[number].directory
    for place, (_, chunks) in enumerate(directory.records_with_chunks()):
        try:
            fetcher.verify_record(fetcher.record(number, place), chunks, number)
        except Corrupt:
            yield place


def _verify_end(seal: PackSeal, tail: bytes, entry: PackEntry) -> None:
    """Raise ``Corrupt`` unless what is behind the records is the directory that the index has."""
    _, length = directory_place(tail[-TRAILER_SIZE:], entry.size, entry.name)
    if length != len(tail) - TRAILER_SIZE:
        raise Corrupt(f"{entry.name} does not end as a pack must.")
    try:
        opened = seal.open_packed_directory(tail[:-TRAILER_SIZE])
    except Corrupt as error:
        raise Corrupt(f"{entry.name} is damaged: its directory does not open.") from error
    if opened != entry.directory.pack():
        raise Corrupt(f"{entry.name} has another directory than the index says.")
