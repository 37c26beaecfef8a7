"""Index segments: which packs there are and the directory of each."""

import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from common.crypto.aead import TAG_SIZE, NumberedSeal
from common.crypto.kdf import derive
from common.errors import Corrupt
from common.repository.format.names import (
    ID_SIZE,
    KEY_ID_SIZE,
    MAGIC_SIZE,
    Kind,
    check_magic,
    pack_name,
)
from common.repository.format.pack import MAX_PACK, Directory

MAX_SEGMENT = 64 * 1024**2
_SALT_SIZE = 32
_END_OF_TIME = 2**36
"""In seconds since 1970: what reckons with times can still add years to it."""

_START = MAGIC_SIZE + _SALT_SIZE
_COUNT = struct.Struct("<I")
_ENTRY = struct.Struct(f"<{ID_SIZE}s{KEY_ID_SIZE}sQQI")


class PackEntry(NamedTuple):
    """A pack as the index lists it. ``retired`` is 0, or since when it is not to be used anew."""

    pack_id: bytes
    key_id: bytes
    size: int
    retired: int
    directory: Directory

    @property
    def name(self) -> str:
        """The pack's name."""
        return pack_name(self.pack_id)

    def listed_size(self) -> int:
        """The bytes that this entry takes in a segment."""
        return _ENTRY.size + self.directory.packed_size()


def seal_segment(entries: Iterable[PackEntry], index_key: bytes) -> bytes:
    """The bytes of a segment that lists these packs."""
    rows = []
    for entry in entries:
        directory = entry.directory.pack()
        rows.append(
            _ENTRY.pack(entry.pack_id, entry.key_id, entry.size, entry.retired, len(directory))
        )
        rows.append(directory)
    body = _COUNT.pack(len(rows) // 2) + b"".join(rows)
    start = Kind.INDEX.magic + os.urandom(_SALT_SIZE)
    return start + _seal(start, index_key).seal(0, body, start)


def open_segment(
    data: bytes, name: str, index_key: bytes, *, checked: bool = True
) -> list[PackEntry]:
    """The packs that a segment lists. Where they are not ``checked``, only ids may be used: those
    of packs, keys and chunks.

    Raises:
        Corrupt: damaged, or not written by a holder of the writer key.
    """
    check_magic(Kind.INDEX, data, name)
    if not _START + TAG_SIZE + _COUNT.size <= len(data) <= MAX_SEGMENT:
        raise Corrupt(f"{name} has an impossible size: {len(data)} bytes.")
    start = data[:_START]
    try:
        body = _seal(start, index_key).open(0, memoryview(data)[_START:], start)
    except Corrupt as error:
        raise Corrupt(f"{name} is damaged: it does not open.") from error
    return _parse(body, name, checked=checked)


def _parse(body: bytes, name: str, *, checked: bool) -> list[PackEntry]:
    (count,) = _COUNT.unpack_from(body)
    place = _COUNT.size
    entries = []
    for _ in range(count):
        if place + _ENTRY.size > len(body):
            raise Corrupt(f"{name} is damaged: it ends too early.")
        pack_id, key_id, size, retired, length = _ENTRY.unpack_from(body, place)
        place += _ENTRY.size
        directory = Directory.parse(body[place : place + length], name, checked=checked)
        place += length
        if checked and (size > MAX_PACK or size != directory.size()):
            raise Corrupt(f"{name} is damaged: the size of a pack does not add up.")
        if checked and retired >= _END_OF_TIME:
            raise Corrupt(f"{name} is damaged: it lists a pack as retired at an impossible time.")
        entries.append(PackEntry(pack_id, key_id, size, retired, directory))
    if place != len(body):
        raise Corrupt(f"{name} is damaged: it does not end where it should.")
    return entries


def _seal(start: bytes, index_key: bytes) -> NumberedSeal:
    return NumberedSeal(derive(index_key, "strongroom/v1/segment", start[MAGIC_SIZE:]))
