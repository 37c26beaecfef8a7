"""What the last backup knew of each file, so that an unchanged one is not read again.

Two files for each component: a table from fingerprints to places, and records at those places. A
fingerprint is a keyed hash of path, size, times, inode and device; a record is the chunks of the
content and a MAC. There are no names in it, and whoever has no writer key cannot make it lie.
"""

import hmac
import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from common.crypto.kdf import derive
from common.repository.format.chunklist import ITEM, Item
from common.repository.format.writerkeys import WriterKeys
from common.repository.table import ChunkTable

_SETTLED_NS = 2_000_000_000
"""A file touched later than this before it was read may change again with the same times."""

_STATUS = struct.Struct("<QqqQQ")
_EXTENT = struct.Struct("<QQ")
_TRAILER = struct.Struct("<QqQ16s")
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_DENSE = -1
_BUFFER = 1024**2

Extents = tuple[tuple[int, int], ...]


class Remembered(NamedTuple):
    """The content of an unchanged file, and what the cache holds about it."""

    packed_items: bytes
    extents: Extents | None
    fingerprint: bytes
    record: bytes

    def items(self) -> Iterator[Item]:
        """The chunks of the content, in order."""
        return ITEM.iter_unpack(self.packed_items)


class FileCache:
    """The cache of one component: reads what the last run wrote, writes what this run sees."""

    def __init__(self, folder: Path, keys: WriterKeys, component: str) -> None:
        self._key = derive(keys.writer_key, "strongroom/v1/file-cache", keys.repository)
        digest = blake3(component.encode("utf-8", "surrogateescape"), key=self._key)
        self._place = folder / f"{keys.repository.hex()}-{digest.hexdigest(length=16)}"
        self._table, self._records = self._load()
        self._new = ChunkTable(len(self._table))
        folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        self._temporary = folder / f"{self._place.name}.{os.getpid()}.new"
        self._file = _create(self._temporary)
        self._end = 0

    def get(self, path: bytes, status: os.stat_result) -> Remembered | None:
        """What is known of a file in this very state."""
        if self._records is None:
            return None
        fingerprint = self._fingerprint(path, status)
        try:
            end = self._table.get(fingerprint)
        except ValueError:
            return None
        if end is None or not _TRAILER.size <= end <= len(self._records):
            return None
        items, extents, size, mac = _TRAILER.unpack_from(self._records, end - _TRAILER.size)
        body = items * ITEM.size + max(0, extents) * _EXTENT.size
        start = end - _TRAILER.size - body
        if start < 0:
            return None
        with memoryview(self._records) as view, view[start : end - 16] as signed:
            good = hmac.compare_digest(self._mac(fingerprint, signed), mac)
        if not good or size != status.st_size:
            return None
        record = self._records[start:end]
        border = items * ITEM.size
        regions = None
        if extents != _DENSE:
            regions = tuple(_EXTENT.iter_unpack(record[border:body]))
        return Remembered(record[:border], regions, fingerprint, record)

    def keep(self, found: Remembered) -> None:
        """Remember an unchanged file once more."""
        self._append(found.fingerprint, found.record)

    def put(
        self,
        path: bytes,
        status: os.stat_result,
        read_at: int,
        items: bytes,
        extents: Extents | None,
    ) -> None:
        """Remember a file: its state before it was read, when that was (nanoseconds since 1970),
        and its chunks, 20 bytes each.
        """
        if max(status.st_mtime_ns, status.st_ctime_ns) > read_at - _SETTLED_NS:
            return
        fingerprint = self._fingerprint(path, status)
        regions = b"".join(_EXTENT.pack(*extent) for extent in extents or ())
        count = _DENSE if extents is None else len(extents)
        head = _TRAILER.pack(len(items) // ITEM.size, count, status.st_size, b"")[:-16]
        body = items + regions + head
        self._append(fingerprint, body + self._mac(fingerprint, body))

    def commit(self) -> None:
        """Let the next run use what this one saw. What cannot be written is not remembered."""
        with suppress(OSError):
            self._file.flush()
            with _create(self._temporary.with_suffix(".table")) as file:
                self._new.save(file)
            # The table first: an old table with new records, or the reverse, fails the MAC.
            self._temporary.with_suffix(".table").replace(self._place.with_suffix(".table"))
            self._temporary.replace(self._place.with_suffix(".records"))
        self.close()

    def close(self) -> None:
        """Forget what this run saw."""
        with suppress(OSError):
            self._file.close()
        for leftover in (self._temporary, self._temporary.with_suffix(".table")):
            leftover.unlink(missing_ok=True)

    def _append(self, fingerprint: bytes, record: bytes) -> None:
        with suppress(OSError):  # a full disk costs the next run some time
            self._file.write(record)
            self._end += len(record)
            self._new.add(fingerprint, self._end)

    def _load(self) -> tuple[ChunkTable, mmap | None]:
        try:
            table = ChunkTable.load(self._place.with_suffix(".table"))
            with self._place.with_suffix(".records").open("rb") as file:
                return table, mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError):
            return ChunkTable(), None  # there is none, or it is no use

    def _fingerprint(self, path: bytes, status: os.stat_result) -> bytes:
        head = _STATUS.pack(
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
            status.st_dev,
        )
        return bytes(blake3(head + path, key=self._key).digest(length=16))

    def _mac(self, fingerprint: bytes, body: bytes | memoryview) -> bytes:
        mac = blake3(fingerprint, key=self._key)
        mac.update(body)
        return bytes(mac.digest(length=16))


def _create(path: Path) -> BinaryIO:
    """A new file that only its owner can read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, _FILE_MODE), "wb", _BUFFER)


def now() -> int:
    """The time that is compared with the times of files."""
    return time.time_ns()
