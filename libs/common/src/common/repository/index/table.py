"""A table from chunk ids to numbers: tens of millions in little memory, shared by processes."""

import os
import struct
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, Self

from common.repository.index.levels import LEVEL_AT, Level, Levels, reserve

_ID = 16
_BATCH = 64
_SHARED = 500_000
"""What a shared table has room for in its first level at least: each further one costs time."""
_pack = struct.Struct("<QQ").pack
_unpack: Callable[[bytes], tuple[int, int]] = struct.Struct("<QQ").unpack


class ChunkTable:
    """Open addressing in one sparse block of memory: 24 bytes a slot, at most 60 % of them in use.

    The block is reserved when the table is made; it takes memory as it fills. It has levels, each
    as large as all before it. What no longer fits one level goes to the next: nothing is ever
    moved. Ids are keyed hashes, evenly spread by themselves.

    Several processes may look up and add at once without a lock, as long as the numbers they add
    are 0, which is what an untouched slot holds; other numbers are entered before a second process
    attaches. When two write to one slot, its id becomes that of one of them or half of each, which
    is the id of no chunk: one that is there may be missed, and its chunk is stored twice, but none
    is found that nobody added. ``len`` may be some too few meanwhile.
    """

    def __init__(self, expected: int = 0, levels: Levels | None = None) -> None:
        if levels is None:
            self.descriptor = reserve(expected)
            weakref.finalize(self, os.close, self.descriptor)
            levels = Levels.share(self.descriptor)
        self.levels = levels
        self._header = levels.header
        self._first = levels.all[0]
        self._uncounted = 0

    @classmethod
    def shared(cls, expected: int) -> Self:
        """A table for this many ids and more. Others can attach to it by its ``descriptor``, as
        long as this one is there.
        """
        return cls(max(expected, _SHARED))

    @classmethod
    def attach(cls, descriptor: int) -> Self:
        """The table of another process. The descriptor may be closed afterwards.

        Raises:
            ValueError: it is something else.
        """
        return cls(levels=Levels.share(descriptor))

    @classmethod
    def load(cls, path: Path) -> Self:
        """A table that ``save`` wrote, to be looked up only; it is mapped, not read.

        Raises:
            OSError: it is not there.
            ValueError: it is something else.
        """
        return cls(levels=Levels.load(path))

    def save(self, file: BinaryIO) -> None:
        """Write it to a file."""
        self._count()
        file.write(self.levels.used())

    def __len__(self) -> int:
        return sum(self.levels.counts()) + self._uncounted

    def get(self, chunk_id: bytes) -> int | None:
        """The number of an id, or None when it is not there."""
        low, high = _unpack(chunk_id)
        if not low:
            low, high = high, low
        # Level.find, written out here and below: its call would cost as much as all the rest.
        ids, numbers, slots, salt = self._first
        at = (low ^ salt) % slots * 2
        while found := ids[at]:
            if found == low and ids[at + 1] == high:
                return numbers[at >> 1]
            at += 2
        if not self._header[LEVEL_AT]:
            return None
        level, at = self._find(low, high)
        return level.numbers[at >> 1] if level.ids[at] else None

    def add(self, chunk_id: bytes, number: int) -> int | None:
        """Enter an id unless it is there: then its number is returned and stays as it was."""
        low, high = _unpack(chunk_id)
        if not low:
            low, high = high, low
        ids, numbers, slots, salt = self._first
        at = (low ^ salt) % slots * 2
        while found := ids[at]:
            if found == low and ids[at + 1] == high:
                return numbers[at >> 1]
            at += 2
        if self._header[LEVEL_AT]:
            level, at = self._find(low, high)
            ids, numbers, _, _ = level
            if ids[at]:
                return numbers[at >> 1]
        if at >= len(ids) - 2:
            level, at = self._next(low)
            ids, numbers, _, _ = level
        if number:
            numbers[at >> 1] = number
        ids[at + 1] = high
        ids[at] = low
        self._uncounted += 1
        if self._uncounted == _BATCH:
            self._count()
        return None

    def add_all(self, packed: bytes, stride: int, numbers: Iterable[int]) -> None:
        """Enter ids as ``add`` does, in two thirds of its time. One begins at every ``stride``
        bytes, and gets the next of ``numbers``, of which there may be more.
        """
        header, (ids, known, slots, salt) = self._header, self._first
        end = len(ids) - 2
        for (low, high), number in zip(_every(stride)(packed), numbers, strict=False):
            at = (low ^ salt) % slots * 2
            while (found := ids[at]) and (found != low or ids[at + 1] != high):
                at += 2
            if found:
                continue
            if not low or header[LEVEL_AT] or at >= end:
                self.add(_pack(low, high), number)
                continue
            if number:
                known[at >> 1] = number
            ids[at + 1] = high
            ids[at] = low
            self._uncounted += 1
            if self._uncounted == _BATCH:
                self._count()

    def contains_all(self, packed: bytes, stride: int, seen: bytearray | None = None) -> bool:
        """Whether each of these ids is there: one begins at every ``stride`` bytes.

        The numbers of those that are there are marked in ``seen``.
        """
        ids, numbers, slots, salt = self._first
        for low, high in _every(stride)(packed):
            at = (low ^ salt) % slots * 2
            while (found := ids[at]) and (found != low or ids[at + 1] != high):
                at += 2
            number = numbers[at >> 1] if found else self.get(_pack(low, high))
            if number is None:
                return False
            if seen is not None:
                seen[number] = 1
        return True

    def _find(self, low: int, high: int) -> tuple[Level, int]:
        """Where an id is that is not in the first level, or a free slot of the last."""
        self.levels.refresh()
        level, at = self._first, 0
        for level in self.levels.all[1:]:
            at = level.find(low, high)
            if level.ids[at]:
                break
        return level, at

    def _next(self, low: int) -> tuple[Level, int]:
        """A free slot in a new level, where the last one has a lump."""
        while True:
            self.levels.extend(self.levels.last)
            level = self.levels.all[-1]
            at = level.find(low, 0)
            if not level.is_end(at):
                return level, at

    def _count(self) -> None:
        added, self._uncounted = self._uncounted, 0
        self.levels.count(added)


@cache
def _every(stride: int) -> Callable[[bytes], Iterator[tuple[int, int]]]:
    return struct.Struct(f"<QQ{stride - _ID}x").iter_unpack
