"""Entering the chunks of many packs into a table at once."""

from collections.abc import Iterator
from itertools import chain, count, repeat
from struct import Struct

from common.repository.index.table import ChunkTable

_CHUNK = Struct("<16s4x")
_MANY = 2**17
"""So many are entered at once; from there on, loading numpy takes less time than it saves."""


class Filling:
    """Takes the chunks of packs as directories hold them. Nobody else may add meanwhile."""

    def __init__(self, table: ChunkTable | dict[bytes, int]) -> None:
        self._table = table
        self._parts: list[tuple[bytes, int, int]] = []
        self._waiting = 0
        self.loaded = False

    def add(self, packed: bytes, number: int, step: int = 0) -> None:
        """Enter chunks with this number, or with numbers that begin there and are ``step`` apart.

        One that is there stays as it was; of two that are new, either may be the one that stays.
        """
        self._parts.append((packed, number, step))
        self._waiting += len(packed) // _CHUNK.size
        if self._waiting >= _MANY:
            self.flush()

    def flush(self) -> None:
        """Enter what is waiting: whatever comes later does not replace it."""
        parts, self._parts = self._parts, []
        self.loaded |= self._waiting >= _MANY
        self._waiting = 0
        if isinstance(self._table, dict):
            known = self._table.copy()
            for packed, number, step in parts:
                self._table.update(_numbered(packed, number, step))
            self._table.update(known)
        elif self.loaded and parts:
            from common.repository.index.vectors import enter  # noqa: PLC0415 - takes 0.1 s and 16 MB

            enter(self._table, parts)
        else:
            for packed, number, step in parts:
                self._table.add_all(packed, _CHUNK.size, _numbers(number, step))


def _numbered(packed: bytes, number: int, step: int) -> Iterator[tuple[bytes, int]]:
    ids = chain.from_iterable(_CHUNK.iter_unpack(packed))
    return zip(ids, _numbers(number, step), strict=False)


def _numbers(number: int, step: int) -> Iterator[int]:
    return count(number, step) if step else repeat(number)
