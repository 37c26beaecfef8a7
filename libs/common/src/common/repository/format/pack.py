"""Packs: a clear header, sealed records, and a sealed directory of them."""

import os
import struct
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, islice
from operator import sub
from typing import NamedTuple

from common.byteslike import BytesLike
from common.crypto.aead import TAG_SIZE, NumberedSeal
from common.crypto.kdf import derive
from common.errors import Corrupt
from common.repository.format.codec import MAX_RECORD
from common.repository.format.names import KEY_ID_SIZE, MAGIC_SIZE, Kind, check_magic

SALT_SIZE = 32
HEADER_SIZE = MAGIC_SIZE + KEY_ID_SIZE + SALT_SIZE
TRAILER_SIZE = 4
CHUNK_ID_SIZE = 16
MAX_CHUNKS = 2**18
MAX_PACK = 256 * 1024**2

CONTENT, TREE = 0, 1
"""The kinds of packs: what files hold, and trees."""

_LAST = 2**96 - 1
_HEAD = struct.Struct("<BII")
_RECORD = struct.Struct("<BIII")
_CHUNK = struct.Struct("<16sI")
_STORED_LENGTH = struct.Struct("<xI8x")
_CHUNK_LENGTH = struct.Struct("<16xI")
_LENGTH = struct.Struct("<I")


class Record(NamedTuple):
    """A record in a pack's directory."""

    codec: int
    stored: int
    raw: int
    chunks: int


class PackHeader(NamedTuple):
    """The clear start of a pack: all of it is bound to every record."""

    key_id: bytes
    salt: bytes

    @classmethod
    def new(cls, key_id: bytes) -> "PackHeader":
        """The header of a new pack, with a fresh salt and so a fresh key."""
        return cls(key_id, os.urandom(SALT_SIZE))

    @classmethod
    def parse(cls, data: BytesLike, name: str) -> "PackHeader":
        """Read the first ``HEADER_SIZE`` bytes of the pack ``name``."""
        check_magic(Kind.PACK, data, name)
        if len(data) < HEADER_SIZE:
            raise Corrupt(f"{name} is cut short.")
        rest = bytes(data[MAGIC_SIZE:HEADER_SIZE])
        return cls(rest[:KEY_ID_SIZE], rest[KEY_ID_SIZE:])

    def pack(self) -> bytes:
        """The bytes of the header."""
        return Kind.PACK.magic + self.key_id + self.salt

    def seal(self, run_key: bytes) -> "PackSeal":
        """What seals and opens this pack."""
        return PackSeal(self, run_key)


class PackSeal:
    """Seals and opens the records of one pack and its directory."""

    def __init__(self, header: PackHeader, run_key: bytes) -> None:
        self._seal = NumberedSeal(derive(run_key, "strongroom/v1/pack", header.salt))
        self._record = header.pack() + b"\x00"
        self._final = header.pack() + b"\x01"

    def seal_record(self, number: int, data: BytesLike) -> bytes:
        """Record ``number``; each number once."""
        return self._seal.seal(number, data, self._record)

    def open_record(self, number: int, sealed: BytesLike) -> bytes:
        """Record ``number``, still compressed. Raises ``Corrupt``."""
        return self._seal.open(number, sealed, self._record)

    def seal_directory(self, directory: "Directory") -> bytes:
        """The end of the pack: the sealed directory and its length."""
        sealed = self._seal.seal(_LAST, directory.pack(), self._final)
        return sealed + _LENGTH.pack(len(sealed))

    def open_directory(self, sealed: BytesLike, name: str) -> "Directory":
        """The directory of the pack ``name``. Raises ``Corrupt``."""
        return Directory.parse(self.open_packed_directory(sealed), name)

    def open_packed_directory(self, sealed: BytesLike) -> bytes:
        """The bytes of the directory, to be compared. Raises ``Corrupt``."""
        return self._seal.open(_LAST, sealed, self._final)


class Directory(NamedTuple):
    """What a pack holds: its records in order (13 bytes each), and their chunks in order (20).

    Kept as bytes: an index holds the directories of all packs in memory.
    """

    kind: int
    rows: bytes
    chunks: bytes

    @classmethod
    def of(cls, kind: int, records: Iterable[Record], chunks: bytes) -> "Directory":
        """The directory of a new pack."""
        return cls(kind, b"".join(_RECORD.pack(*record) for record in records), chunks)

    @classmethod
    def parse(cls, data: bytes, name: str, *, checked: bool = True) -> "Directory":
        """Read a directory found in the object ``name``. Of one that is not ``checked`` only the
        ids of chunks may be used.

        Raises:
            Corrupt: it does not add up.
        """
        try:
            kind, records, chunks = _HEAD.unpack_from(data)
        except struct.error as error:
            raise Corrupt(f"{name} has a directory that is cut short.") from error
        start = _HEAD.size + records * _RECORD.size
        if kind > TREE or chunks > MAX_CHUNKS or len(data) != start + chunks * _CHUNK.size:
            raise Corrupt(f"{name} has a directory that does not add up.")
        directory = cls(kind, data[_HEAD.size : start], data[start:])
        if checked:
            directory._check(name)
        return directory

    def pack(self) -> bytes:
        """The bytes of the directory."""
        head = _HEAD.pack(self.kind, len(self.rows) // _RECORD.size, len(self))
        return head + self.rows + self.chunks

    def __len__(self) -> int:
        return len(self.chunks) // _CHUNK.size

    @property
    def records(self) -> list[Record]:
        """The records, in order."""
        return [Record(*row) for row in _RECORD.iter_unpack(self.rows)]

    def all_chunks(self) -> Iterator[tuple[bytes, int]]:
        """The id and length of each chunk, in order."""
        return _CHUNK.iter_unpack(self.chunks)

    def lengths(self) -> Iterator[int]:
        """The length of each chunk, in order."""
        return chain.from_iterable(_CHUNK_LENGTH.iter_unpack(self.chunks))

    def length(self, chunk: int) -> int:
        """The length of one chunk."""
        length: int = _CHUNK_LENGTH.unpack_from(self.chunks, chunk * _CHUNK.size)[0]
        return length

    def records_with_chunks(self) -> Iterator[tuple[Record, list[tuple[bytes, int]]]]:
        """Each record with its chunks."""
        chunks = self.all_chunks()
        for record in self.records:
            yield record, list(islice(chunks, record.chunks))

    def offsets(self) -> list[int]:
        """Where each record begins in the pack, and at the end where the directory does."""
        return list(accumulate((record.stored for record in self.records), initial=HEADER_SIZE))

    def packed_size(self) -> int:
        """How many bytes ``pack`` gives."""
        return _HEAD.size + len(self.rows) + len(self.chunks)

    def size(self) -> int:
        """How long the pack must be."""
        stored: int = sum(stored for (stored,) in _STORED_LENGTH.iter_unpack(self.rows))
        return HEADER_SIZE + stored + self.packed_size() + TAG_SIZE + TRAILER_SIZE

    def _check(self, name: str) -> None:
        columns = list(zip(*_RECORD.iter_unpack(self.rows), strict=True)) or [()] * 4
        _, stored, raw, counts = columns
        possible = (
            min(stored, default=MAX_PACK) > TAG_SIZE
            and max(map(sub, stored, raw), default=0) <= TAG_SIZE
            and min(raw, default=1) > 0
            and max(raw, default=0) <= MAX_RECORD
            and min(counts, default=1) > 0
        )
        if not possible or sum(counts) != len(self):
            raise Corrupt(f"{name} has a directory with impossible records.")
        borders = list(accumulate(self.lengths(), initial=0))
        if [borders[end] for end in accumulate(counts)] != list(accumulate(raw)):
            raise Corrupt(f"{name} has a directory whose lengths do not add up.")


def pack_chunks(chunks: Iterable[tuple[bytes, int]]) -> bytes:
    """Chunks as a directory or a chunk list holds them."""
    return b"".join(_CHUNK.pack(*chunk) for chunk in chunks)


def directory_place(trailer: BytesLike, size: int, name: str) -> tuple[int, int]:
    """Offset and length of the sealed directory, from the last bytes of a pack of this size."""
    if size < HEADER_SIZE + TAG_SIZE + TRAILER_SIZE or len(trailer) != TRAILER_SIZE:
        raise Corrupt(f"{name} is cut short.")
    (length,) = _LENGTH.unpack(trailer)
    start = size - TRAILER_SIZE - length
    if length < TAG_SIZE + _HEAD.size or start < HEADER_SIZE:
        raise Corrupt(f"{name} does not end as a pack must.")
    return start, length
