"""The memory of a table of chunks: a sparse block, reserved at once and never moved."""

import fcntl
import mmap
import os
from operator import gt
from pathlib import Path
from typing import NamedTuple

_FULL = 0.6
_SMALLEST = 2**16
_LARGEST = 2**33
"""Bytes of address space: enough for two hundred million chunks, and for many tables at once."""

_TAIL = 1024
"""Slots behind the last home of a level, so that nothing wraps around. The very last stays free."""

_MOST = 24
_WRITERS = 20
"""Each process counts for itself what it adds; when there are more, some counts may be too low."""

_HEADER = 4096
_MAGIC = int.from_bytes(b"SRTABLE3", "little")
_MAGIC_AT, _SLOTS_AT, _LEVELS_AT, LEVEL_AT, _SALT_AT, _WRITERS_AT, _COUNTS_AT = range(7)
_ID, _SLOT = 16, 24


class Level(NamedTuple):
    """The two words of each id, and the numbers. The first word of a free slot is 0.

    The ``salt`` is drawn for each table: so nobody can choose ids that all want the same slot.
    """

    ids: memoryview
    numbers: memoryview
    slots: int
    salt: int

    def find(self, low: int, high: int) -> int:
        """Where the first word of an id is, or the free slot where it is not."""
        ids, at = self.ids, (low ^ self.salt) % self.slots * 2
        while found := ids[at]:
            if found == low and ids[at + 1] == high:
                return at
            at += 2
        return at

    def is_end(self, at: int) -> bool:
        """Whether that is the last slot, which must stay free."""
        return at >= len(self.ids) - 2


class Levels:
    """A header, and levels of slots; each level but the first has as many as all before it.

    ``all`` are those in use; other processes may have begun more: see ``refresh``.
    """

    def __init__(self, memory: mmap.mmap, *, whole: bool = True) -> None:
        if len(memory) < _HEADER:
            raise ValueError("This is no table.")
        self.view = memoryview(memory)
        self.header: memoryview = self.view[:_HEADER].cast("Q")
        magic, self._slots, self._most, level, self._salt = self.header[:_WRITERS_AT]
        if magic != _MAGIC or not self._slots or not level < self._most <= _MOST:
            raise ValueError("This is no table.")
        if len(memory) != _end(self._slots, self._most if whole else level + 1):
            raise ValueError("This is no table.")
        self._counts = _COUNTS_AT
        self.all: list[Level] = []
        self.refresh()
        if any(level.ids[-2] for level in self.all):
            raise ValueError("This table is damaged: a search in it may have no end.")
        if any(map(gt, self.counts(), (len(level.numbers) for level in self.all))):
            raise ValueError("This table is damaged: it says that it holds more than fits.")

    @classmethod
    def load(cls, path: Path) -> "Levels":
        """Those that a file holds, to be looked up only. Raises ``OSError`` or ``ValueError``."""
        with path.open("rb") as file:
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), whole=False)

    @classmethod
    def share(cls, descriptor: int) -> "Levels":
        """Those of this file, for one more process to add to."""
        levels = cls(mmap.mmap(descriptor, 0))
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        writer = levels.header[_WRITERS_AT]
        levels.header[_WRITERS_AT] = writer + 1
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
        levels._counts += writer % _WRITERS * _MOST
        return levels

    @property
    def last(self) -> int:
        """The number of the level that takes new ids."""
        return self.header[LEVEL_AT]

    def refresh(self) -> None:
        """Take up the levels that others have begun."""
        for number in range(len(self.all), self.last + 1):
            start, end = _end(self._slots, number), _end(self._slots, number + 1)
            border = start + (end - start) // _SLOT * _ID
            ids, numbers = self.view[start:border].cast("Q"), self.view[border:end].cast("Q")
            slots = _slots(self._slots, number)
            self.all.append(Level(ids, numbers, slots, self._salt))

    def extend(self, beyond: int) -> None:
        """Begin another level than this one, unless another process has done so.

        Raises:
            ValueError: there is room for no more.
        """
        if beyond + 1 >= self._most:
            raise ValueError("The table is full.")
        self.header[LEVEL_AT] = max(self.last, beyond + 1)
        self.refresh()

    def count(self, added: int) -> None:
        """Note that so many ids were added, and begin a level when the last one is full."""
        self.refresh()
        level = len(self.all) - 1
        self.header[self._counts + level] += added
        full = self._count(level) > self.all[level].slots * _FULL
        if full and level + 1 < self._most:
            self.extend(level)

    def counts(self) -> list[int]:
        """How many ids each level has."""
        return [self._count(level) for level in range(self.last + 1)]

    def _count(self, level: int) -> int:
        return sum(self.header[_COUNTS_AT + level : _COUNTS_AT + _WRITERS * _MOST : _MOST])

    def used(self) -> memoryview:
        """The part of the block that is in use."""
        return self.view[: _end(self._slots, self.last + 1)]


def reserve(expected: int) -> int:
    """A file without a name for that many ids and many more; it takes no memory before its pages
    are written, and is gone with its last descriptor.
    """
    slots = max(_SMALLEST, int(expected / _FULL) + 1)
    slots += slots % 2  # so that no id crosses a cache line
    levels = 2
    while _end(slots, levels) < _LARGEST:
        levels += 1
    descriptor = os.memfd_create("chunks")
    os.ftruncate(descriptor, _end(slots, levels))
    words = (_MAGIC, slots, levels, 0, int.from_bytes(os.urandom(8), "little"))
    header = b"".join(word.to_bytes(8, "little") for word in words)
    os.pwrite(descriptor, header, 0)
    return descriptor


def _slots(slots: int, level: int) -> int:
    return slots << max(0, level - 1)


def _end(slots: int, levels: int) -> int:
    """Where the first ``levels`` levels end."""
    return _HEADER + _SLOT * (sum(_slots(slots, level) for level in range(levels)) + levels * _TAIL)
