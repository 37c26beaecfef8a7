"""Verifying one pack against its name, its index entry and, record by record, its content."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from common.errors import Corrupt, NotFound, Unavailable
from common.repository.damage import Damaged
from common.repository.fetch import Fetcher
from common.repository.format.codec import expand
from common.repository.format.pack import (
    HEADER_SIZE,
    TRAILER_SIZE,
    Directory,
    PackSeal,
    directory_place,
)
from common.repository.objects import ObjectSource


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
    _same_directory(seal, tail[:-TRAILER_SIZE], entry.directory, entry.name)


def _read_all(
    source: ObjectSource, fetcher: Fetcher, number: int, seal: PackSeal, verdict: PackVerdict
) -> None:
    entry = fetcher.catalog.packs[number]
    try:
        data = memoryview(source.read(entry.name, 0, entry.size + 1))
    except Unavailable as error:
        verdict.blame(Damaged.unread(entry.name, error))
        verdict.records = set(_unread(fetcher, number))
        return
    verdict.read = len(data)
    if blake3(data).digest() != entry.pack_id:
        verdict.blame(Corrupt("its bytes are not those it is named for."))
    offsets = fetcher.catalog.layout(number).offsets
    bad: set[int] = set()
    for place, (record, chunks) in enumerate(entry.directory.records_with_chunks()):
        try:
            opened = seal.open_record(place, data[offsets[place] : offsets[place + 1]])
            raw = memoryview(expand(record.codec, opened, record.raw))
            offset = 0
            for chunk_id, length in chunks:
                fetcher.verify(chunk_id, raw[offset : offset + length], number)
                offset += length
        except Corrupt as error:
            verdict.blame(error)
            bad.add(place)
    verdict.records = bad
    if len(data) != entry.size:
        verdict.blame(Corrupt(f"{entry.name} has another size than the index says."))
        return
    try:
        start, length = directory_place(data[-TRAILER_SIZE:], len(data), entry.name)
        _same_directory(seal, data[start : start + length], entry.directory, entry.name)
    except Corrupt as error:
        verdict.blame(error)


def _unread(fetcher: Fetcher, number: int) -> Iterator[int]:
    """The records that are bad, each read by itself: some of the pack cannot be."""
    directory = fetcher.catalog.packs[number].directory
    for place, (_, chunks) in enumerate(directory.records_with_chunks()):
        try:
            raw = memoryview(fetcher.record(number, place))
            offset = 0
            for chunk_id, length in chunks:
                fetcher.verify(chunk_id, raw[offset : offset + length], number)
                offset += length
        except Corrupt:
            yield place


def _same_directory(
    seal: PackSeal, sealed: bytes | memoryview, expected: Directory, name: str
) -> None:
    try:
        found = seal.open_directory(sealed, name)
    except Corrupt as error:
        raise Corrupt(f"{name} is damaged: its directory does not open.") from error
    if found != expected:
        raise Corrupt(f"{name} has another directory than the index says.")
