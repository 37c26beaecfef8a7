"""Any part of a file of a backup, fetched when it is asked for."""

from bisect import bisect_right
from collections import OrderedDict
from functools import lru_cache
from itertools import accumulate

from common.repository.damage import Damaged
from common.repository.format.blockreader import StoredEntry
from common.repository.format.chunklist import ChunkList, Item
from common.repository.reading.fetch import Fetcher, items

_CACHED = 64 * 1024**2
_FILES = 16


class ContentReader:
    """Reads files at any offset. The chunks used last stay in memory, up to a limit."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._layout = lru_cache(_FILES)(self._lay_out)
        self._chunks: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached = 0

    def read(self, entry: StoredEntry, offset: int, size: int) -> bytes:
        """At most ``size`` bytes of a file from ``offset``; fewer only at its end.

        Raises:
            Corrupt: they cannot be read.
        """
        end = min(offset + size, entry.size)
        if entry.extents is None:
            return self._data(entry, offset, end)
        pieces, done = [], offset
        for start, length in entry.extents:
            begin, stop = max(start, done), min(start + length, end)
            if begin >= stop:
                continue
            before = sum(size for place, size in entry.extents if place < start)
            pieces.append(bytes(begin - done))
            pieces.append(self._data(entry, before + begin - start, before + stop - start))
            done = stop
        pieces.append(bytes(max(0, end - done)))
        return b"".join(pieces)

    def _data(self, entry: StoredEntry, begin: int, end: int) -> bytes:
        """A part of the data without the holes."""
        found, borders = self._layout(entry.content)
        pieces = []
        at = bisect_right(borders, begin) - 1
        while begin < end:
            chunk = self._chunk(found[at])
            piece = chunk[begin - borders[at] : end - borders[at]]
            pieces.append(piece)
            begin += len(piece)
            at += 1
        return b"".join(pieces)

    def _lay_out(self, content: ChunkList) -> tuple[list[Item], list[int]]:
        """The chunks of a file, and where each begins in its data; last where the data ends."""
        found: list[Item] = []
        for item in items(self._fetcher, content):
            if isinstance(item, Damaged):
                raise item
            found.append(item)
        borders = list(accumulate((length for _, length in found), initial=0))
        return found, borders

    def _chunk(self, item: Item) -> bytes:
        chunk = self._chunks.get(item[0])
        if chunk is None:
            chunk = self._chunks[item[0]] = self._fetcher.chunk(*item)
            self._cached += len(chunk)
            while self._cached > _CACHED and len(self._chunks) > 1:
                self._cached -= len(self._chunks.popitem(last=False)[1])
        else:
            self._chunks.move_to_end(item[0])
        return chunk
