"""A table from chunk ids to numbers that holds tens of millions in little memory."""

import mmap
import struct

_SLOT = 24
_ID = 16
_EMPTY = bytes(_ID)
_VALUE = struct.Struct("<Q")
_SMALLEST = 4096
_FULL = 0.6


class ChunkTable:
    """Open addressing in one block of memory: 24 bytes a slot, at most 60 % of them in use.

    Ids are keyed hashes, evenly spread by themselves.
    """

    def __init__(self, expected: int = 0) -> None:
        slots = _SMALLEST
        while slots * _FULL < expected:
            slots *= 2
        self._allocate(slots)

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
        while True:
            place = slot * _SLOT
            found = memory[place : place + _ID]
            if found in (chunk_id, _EMPTY):
                return place
            slot = (slot + 1) & mask

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
