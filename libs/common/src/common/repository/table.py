"""A table from chunk ids to numbers that holds tens of millions in little memory."""

import mmap
import struct
from pathlib import Path
from typing import BinaryIO

_SLOT = 24
_ID = 16
_EMPTY = bytes(_ID)
_VALUE = struct.Struct("<Q")
_SMALLEST = 4096
_FULL = 0.6
_FOOTER = struct.Struct("<8sQQ")
_MAGIC = b"SRTABLE1"


class ChunkTable:
    """Open addressing in one block of memory: 24 bytes a slot, at most 60 % of them in use.

    Ids are keyed hashes, evenly spread by themselves.
    """

    def __init__(self, expected: int = 0) -> None:
        slots = _SMALLEST
        while slots * _FULL < expected:
            slots *= 2
        self._allocate(slots)

    @classmethod
    def load(cls, path: Path) -> "ChunkTable":
        """A table that ``save`` wrote, to be looked up only; it is mapped, not read.

        Raises:
            OSError: it is not there.
            ValueError: it is something else.
        """
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(memory) < _FOOTER.size:
            raise ValueError("This is no table.")
        table = object.__new__(cls)
        magic, slots, table._used = _FOOTER.unpack(memory[-_FOOTER.size :])
        whole = len(memory) == slots * _SLOT + _FOOTER.size
        if magic != _MAGIC or not whole or slots & (slots - 1) or table._used > slots * _FULL + 1:
            raise ValueError("This is no table.")
        table._memory, table._mask, table._most = memory, slots - 1, slots
        return table

    def save(self, file: BinaryIO) -> None:
        """Write it to a file."""
        file.write(self._memory)
        file.write(_FOOTER.pack(_MAGIC, self._mask + 1, self._used))

    def __len__(self) -> int:
        return self._used

    def get(self, chunk_id: bytes) -> int | None:
        """The number of an id, or None when it is not there."""
        place = self._find(chunk_id)
        if self._memory[place : place + _ID] == _EMPTY:
            return None
        number: int = _VALUE.unpack_from(self._memory, place + _ID)[0]
        return number

    def add(self, chunk_id: bytes, number: int) -> int | None:
        """Enter an id unless it is there: then its number is returned and stays as it was."""
        place = self._find(chunk_id)
        if self._memory[place : place + _ID] != _EMPTY:
            found: int = _VALUE.unpack_from(self._memory, place + _ID)[0]
            return found
        self._put(place, chunk_id, number)
        return None

    def _put(self, place: int, chunk_id: bytes, number: int) -> None:
        self._memory[place : place + _ID] = chunk_id
        _VALUE.pack_into(self._memory, place + _ID, number)
        self._used += 1
        if self._used > self._most:
            self._grow()

    def _find(self, chunk_id: bytes) -> int:
        memory, mask = self._memory, self._mask
        slot = int.from_bytes(chunk_id[:8], "little") & mask
        for _ in range(mask + 1):
            place = slot * _SLOT
            found = memory[place : place + _ID]
            if found in (chunk_id, _EMPTY):
                return place
            slot = (slot + 1) & mask
        raise ValueError("The table is full: it is damaged.")

    def _allocate(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, slots * _SLOT)
        self._mask = slots - 1
        self._most = int(slots * _FULL)
        self._used = 0

    def _grow(self) -> None:
        old, slots = self._memory, self._mask + 1
        self._allocate(slots * 2)
        for place in range(0, slots * _SLOT, _SLOT):
            chunk_id = old[place : place + _ID]
            if chunk_id != _EMPTY:
                new = self._find(chunk_id)
                self._memory[new : new + _SLOT] = old[place : place + _SLOT]
                self._used += 1
        old.close()
