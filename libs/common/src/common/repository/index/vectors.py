"""Entering hundreds of thousands of ids at once: the same table, written by numpy."""

import os
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes that fork have no need of threads

import numpy as np
from numpy.typing import NDArray

from common.repository.index.levels import Level
from common.repository.index.table import ChunkTable

_ROW = np.dtype([("low", "<u8"), ("high", "<u8"), ("length", "<u4")])
_CROWDED = 0.75

Words = NDArray[np.uint64]
Part = tuple[bytes, int, int]
"""Packed chunks, the number of the first, and how far apart the numbers are."""


def enter(table: ChunkTable, parts: Sequence[Part]) -> None:
    """Enter these chunks unless they are there."""
    low, high = _ids(b"".join(packed for packed, _, _ in parts))
    numbers = _numbers(parts)
    levels = table.levels
    while levels.counts()[-1] + len(low) > levels.all[-1].slots * _CROWDED:
        levels.extend(levels.last)
    for level in levels.all[:-1]:
        absent = _Slots(level).absent(low, high)
        low, high, numbers = low[absent], high[absent], numbers[absent]
    entered, left = _Slots(levels.all[-1]).enter(low, high, numbers)
    levels.count(entered)
    for each in left:
        table.add(low[each].tobytes() + high[each].tobytes(), int(numbers[each]))


def contains_all(table: ChunkTable, packed: bytes, seen: bytearray) -> bool:
    """As the table's own, for packed chunks, in less time where there are hundreds of them."""
    low, high = _ids(packed)
    numbers = _Slots(table.levels.all[0]).numbers(low, high)
    if numbers is None:
        return table.contains_all(packed, _ROW.itemsize, seen)
    np.frombuffer(seen, np.uint8)[numbers] = 1
    return True


class _Slots:
    """The slots of one level."""

    def __init__(self, level: Level) -> None:
        self._low, self._high = np.asarray(level.ids).reshape(-1, 2).T
        self._numbers = np.asarray(level.numbers)
        self._slots, self._salt = np.uint64(level.slots), np.uint64(level.salt)
        self._end = len(self._low) - 1

    def absent(self, low: Words, high: Words) -> NDArray[np.intp]:
        """Which of these ids are not there."""
        at = ((low ^ self._salt) % self._slots).astype(np.intp)
        left, absent = np.arange(len(low)), []
        while len(left):
            there = self._low[at]
            free = there == 0
            absent.append(left[free])
            on = ~free & ((there != low[left]) | (self._high[at] != high[left]))
            left, at = left[on], at[on] + 1
        return np.concatenate(absent) if absent else left

    def numbers(self, low: Words, high: Words) -> Words | None:
        """The numbers of these ids, if they are all there."""
        at = ((low ^ self._salt) % self._slots).astype(np.intp)
        left = np.arange(len(low))
        while len(left):
            there = self._low[at[left]]
            if not there.all():
                return None
            left = left[(there != low[left]) | (self._high[at[left]] != high[left])]
            at[left] += 1
        return self._numbers[at]

    def enter(self, low: Words, high: Words, numbers: Words) -> tuple[int, NDArray[np.intp]]:
        """Enter these ids unless they are there: how many were new, and those that do not fit."""
        at = ((low ^ self._salt) % self._slots).astype(np.intp)
        left, entered, unfit = np.arange(len(low)), 0, []
        while len(left):
            entered += self._claim(at, left, low, high, numbers)
            on = (self._low[at] != low[left]) | (self._high[at] != high[left])
            left, at = left[on], at[on] + 1
            if len(at) and at.max() >= self._end:
                fits = at < self._end
                unfit.append(left[~fits])
                left, at = left[fits], at[fits]
        return entered, np.concatenate(unfit) if unfit else left

    def _claim(
        self, at: NDArray[np.intp], left: NDArray[np.intp], low: Words, high: Words, numbers: Words
    ) -> int:
        """Give each free slot to one of the ids that want it."""
        free = np.flatnonzero(self._low[at] == 0)
        wanted, claims = at[free], left[free]
        self._numbers[wanted] = claims
        won = np.flatnonzero(self._numbers[wanted] == claims)
        slots, winners = wanted[won], claims[won]
        self._low[slots], self._high[slots] = low[winners], high[winners]
        self._numbers[slots] = numbers[winners]
        return len(winners)


def _ids(packed: bytes) -> tuple[Words, Words]:
    rows = np.frombuffer(packed, _ROW)
    low, high = rows["low"].astype(np.uint64), rows["high"].astype(np.uint64)
    zero = low == 0
    low[zero], high[zero] = high[zero], 0
    return low, high


def _numbers(parts: Sequence[Part]) -> Words:
    counts = np.array([len(packed) // _ROW.itemsize for packed, _, _ in parts])
    firsts = np.array([number for _, number, _ in parts], np.uint64)
    steps = np.array([step for _, _, step in parts], np.uint64)
    ends = np.cumsum(counts)
    inside = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    numbers: Words = np.repeat(firsts, counts) + np.repeat(steps, counts) * inside.astype(np.uint64)
    return numbers
