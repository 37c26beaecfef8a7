"""What the last backup knew of each stretch of a tree, so that unchanged files are not read again.

Two files for each component: a table from stretches to places, and records at those places. A
record holds keyed fingerprints of the stretch and of each file in it (path, owner, mode, size,
times, inode and device), the chunks of their contents, the blocks that the stretch is stored in,
and a MAC. There are no names in it, and whoever has no writer key cannot make it lie. It is found
by both ends of the stretch: one that was divided by a new border is known in both its parts.
"""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from common.crypto.equality import compare_digest
from common.crypto.kdf import derive
from common.repository.attributes import group_name, user_name
from common.repository.format.chunklist import ITEM, Item, pack_items
from common.repository.format.writerkeys import WriterKeys
from common.repository.index.table import ChunkTable
from common.repository.ingesting.regions import Extents
from common.repository.ingesting.stretch import Stretch
from common.storage.folders import make_folders

_PRINT = 16
_HEAD = struct.Struct(f"<{_PRINT}s?HIIQQ")
_OWNER = struct.Struct("<II")
_FILE = struct.Struct(f"<{_PRINT}sIi?")
_EXTENT = struct.Struct("<QQ")
_TRAILER = struct.Struct("<Q16s")
_FILE_MODE = 0o600
_DENSE = -1
_BUFFER = 1024**2


class KnownFile(NamedTuple):
    """An unchanged file: its packed items, its regions of data, whether it has attributes."""

    items: bytes
    extents: Extents | None
    has_xattrs: bool


class Facts(NamedTuple):
    """What is to be remembered of a stretch.

    ``plain`` and ``files`` are those that did not change while they were read, by number: of one
    chunk, packed, or of none, and nothing else; all others. With ``whole`` the ``blocks`` stand for
    the stretch as long as it is the same.
    """

    whole: bool
    blocks: Sequence[Item]
    entries: int
    size: int
    plain: Mapping[int, bytes]
    files: Mapping[int, KnownFile]


class Remembered:
    """A record of the last backup about one stretch of its tree."""

    def __init__(self, record: bytes) -> None:
        self.record = record
        self.fingerprint, self.whole, *counts, self.entries, self.size = _HEAD.unpack_from(record)
        owners, blocks, files = counts
        begin = _HEAD.size
        end = begin + owners * _OWNER.size
        self.owners = record[begin:end]
        begin, end = end, end + blocks * ITEM.size
        self.blocks = record[begin:end]
        self._heads = slice(end, end + files * _FILE.size)

    def items(self) -> bytes:
        """The chunks of all files, packed; with ``whole`` there are no others."""
        chunks = sum(count for _, count, _, _ in _FILE.iter_unpack(self.record[self._heads]))
        return self.record[self._heads.stop : self._heads.stop + chunks * ITEM.size]

    def files(self) -> dict[bytes, KnownFile]:
        """Each file by its fingerprint."""
        found = {}
        place = self._heads.stop
        extent = place + len(self.items())
        for mark, count, extents, has_xattrs in _FILE.iter_unpack(self.record[self._heads]):
            regions = None
            if extents != _DENSE:
                last = extent + extents * _EXTENT.size
                regions = tuple(_EXTENT.iter_unpack(self.record[extent:last]))
                extent = last
            end = place + count * ITEM.size
            found[mark] = KnownFile(self.record[place:end], regions, has_xattrs)
            place = end
        return found


class FileCache:
    """The cache of one component: reads what the last run wrote, unless it is to ``forget`` that,
    and writes what this run sees.
    """

    def __init__(
        self, folder: Path, keys: WriterKeys, component: str, *, forget: bool = False
    ) -> None:
        self._key = derive(keys.writer_key, "strongroom/v1/file-cache", keys.repository)
        self._hasher = blake3(key=self._key)  # making one takes as long as hashing a path
        digest = blake3(component.encode("utf-8", "surrogateescape"), key=self._key)
        self._place = folder / f"{keys.repository.hex()}-{digest.hexdigest(length=_PRINT)}"
        nothing = ChunkTable(), None
        self._table, self._records = nothing if forget else self._load()
        self._new = ChunkTable(len(self._table))
        make_folders(folder)
        self._temporary = folder / f"{self._place.name}.{os.getpid()}.new"
        self._file = _create(self._temporary)
        self._end = 0

    def recall(self, stretch: Stretch) -> Iterator[Remembered]:
        """What is known of the stretch that ended here last time, then of one that began here.

        They may have changed since.
        """
        ended = self._look_up(stretch.end)
        if ended is not None:
            yield ended
        began = self._look_up(stretch.begin)
        if began is not None and (ended is None or began.record != ended.record):
            yield began

    def _look_up(self, end: bytes) -> Remembered | None:
        if self._records is None:
            return None
        try:
            at = self._table.get(self._place_of(end))
        except ValueError:
            return None
        if at is None or not _TRAILER.size <= at <= len(self._records):
            return None
        length, mac = _TRAILER.unpack_from(self._records, at - _TRAILER.size)
        start = at - _TRAILER.size - length
        if start < 0:
            return None
        body = self._records[start : at - _TRAILER.size]
        if not compare_digest(self._mac(body), mac):
            return None
        return Remembered(body)

    def is_same(self, stretch: Stretch, found: Remembered) -> bool:
        """Whether nothing in the stretch has changed, so that its blocks stand for it."""
        return found.whole and compare_digest(
            stretch.fingerprint(self._key, _names(found.owners)), found.fingerprint
        )

    def fingerprint(self, path: bytes, state: bytes) -> bytes:
        """What is equal for a file that is unchanged."""
        self._hasher.reset()
        self._hasher.update(state + path)
        return self._hasher.digest(length=_PRINT)

    def keep(self, stretch: Stretch, found: Remembered) -> None:
        """Remember an unchanged stretch once more."""
        self._append(stretch, found.record)

    def put(self, stretch: Stretch, facts: Facts, marks: Mapping[int, bytes]) -> None:
        """Remember a stretch. ``marks`` are the fingerprints that were made before, by number."""
        self._append(stretch, self._pack(stretch, facts, marks))

    def commit(self) -> None:
        """Let the next run use what this one saw. What cannot be written is not remembered."""
        with suppress(OSError):
            self._file.flush()
            with _create(self._temporary.with_suffix(".table")) as file:
                self._new.save(file)
            # An old table with new records, or the reverse, leads to none or to one of other files.
            self._temporary.with_suffix(".table").replace(self._place.with_suffix(".table"))
            self._temporary.replace(self._place.with_suffix(".records"))
        self.close()

    def close(self) -> None:
        """Forget what this run saw."""
        with suppress(OSError):
            self._file.close()
        for leftover in (self._temporary, self._temporary.with_suffix(".table")):
            with suppress(OSError):  # it is gone, or goes when nobody has renewed it for long
                leftover.unlink()

    def _pack(self, stretch: Stretch, facts: Facts, marks: Mapping[int, bytes]) -> bytes:
        owners = stretch.owners()
        fingerprint = bytes(_PRINT)
        if facts.whole:
            fingerprint = stretch.fingerprint(self._key, _names(owners))
        head = _HEAD.pack(
            fingerprint,
            facts.whole,
            len(owners) // _OWNER.size,
            len(facts.blocks),
            len(facts.plain) + len(facts.files),
            facts.entries,
            facts.size,
        )
        parts = [head, owners, pack_items(list(facts.blocks))]
        pack, paths, states = _FILE.pack, stretch.paths, stretch.states
        for number, item in facts.plain.items():
            mark = marks.get(number) or self.fingerprint(paths[number], states[number])
            parts.append(pack(mark, 1 if item else 0, _DENSE, False))
        for number, known in facts.files.items():
            mark = marks.get(number) or self.fingerprint(paths[number], states[number])
            count = _DENSE if known.extents is None else len(known.extents)
            parts.append(pack(mark, len(known.items) // ITEM.size, count, known.has_xattrs))
        parts += facts.plain.values()
        parts += [known.items for known in facts.files.values()]
        for known in facts.files.values():
            parts += [_EXTENT.pack(*extent) for extent in known.extents or ()]
        return b"".join(parts)

    def _append(self, stretch: Stretch, body: bytes) -> None:
        with suppress(OSError):  # a full disk costs the next run some time
            self._file.write(body)
            self._file.write(_TRAILER.pack(len(body), self._mac(body)))
            self._end += len(body) + _TRAILER.size
            for end in (stretch.end, stretch.begin):
                self._new.add(self._place_of(end), self._end)

    def _load(self) -> tuple[ChunkTable, mmap | None]:
        try:
            table = ChunkTable.load(self._place.with_suffix(".table"))
            with self._place.with_suffix(".records").open("rb") as file:
                return table, mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError):
            return ChunkTable(), None  # there is none, or it is no use

    def _place_of(self, end: bytes) -> bytes:
        return bytes(blake3(end, key=self._key).digest(length=_PRINT))

    def _mac(self, body: bytes) -> bytes:
        mac = blake3(b"record", key=self._key)
        mac.update(body)
        return bytes(mac.digest(length=16))


def _names(owners: bytes) -> bytes:
    """The names of these owners, and who reads: with others the entries are others too."""
    names = [str(os.geteuid())]
    for uid, gid in _OWNER.iter_unpack(owners):
        names += [user_name(uid), group_name(gid)]
    return "\0".join(names).encode("utf-8", "surrogateescape")


def _create(path: Path) -> BinaryIO:
    """A new file that only its owner can read, whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, _FILE_MODE)
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(descriptor, _FILE_MODE)
    return os.fdopen(descriptor, "wb", _BUFFER)
