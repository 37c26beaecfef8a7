"""Marking: which stored chunks do the backups need?"""

from collections import deque
from collections.abc import Iterable

from common.repository.damage import Damaged
from common.repository.format.blockreader import parse_block
from common.repository.format.chunklist import ChunkList
from common.repository.format.snapshot import Snapshot
from common.repository.index.catalog import CHUNK_MASK, PerChunk, pack_of
from common.repository.reading.fetch import Fetcher, items


class Marks:
    """The chunks needed, pack by pack. A chunk with several places is needed at one of them, a live
    one if there is any.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._number = fetcher.catalog.number
        self._needed = PerChunk(fetcher.catalog, bytearray)
        self._followed: set[bytes] = set()
        self._lists: dict[tuple[bytes, int], int] = {}

    def follow(self, snapshots: Iterable[Snapshot]) -> None:
        """Mark what these backups need.

        Raises:
            Corrupt: something of it is damaged or missing. What cannot be read cannot be judged.
        """
        for snapshot in snapshots:
            for component in snapshot.components:
                self._tree(component.tree)

    def needed(self, pack: int) -> bytearray:
        """For each chunk of a pack, whether it is needed."""
        return self._needed[pack]

    def _tree(self, tree: ChunkList) -> None:
        for chunk_id, length in self._follow(tree):
            if chunk_id in self._followed:
                continue
            self._followed.add(chunk_id)
            block = parse_block(self._fetcher.chunk(chunk_id, length), f"chunk {chunk_id.hex()}")
            for entry in block.entries:
                if entry.content.level:
                    deque(self._follow(entry.content), 0)
                    continue
                for item in entry.content.root:  # as _follow does, for many small files
                    self._mark(*item)

    def _follow(self, chunks: ChunkList) -> Iterable[tuple[bytes, int]]:
        for item in items(self._fetcher, chunks, self._mark, self._lists):
            if isinstance(item, Damaged):
                raise item
            self._mark(*item)
            yield item

    def _mark(self, chunk_id: bytes, _length: int) -> None:
        number = self._number(chunk_id)
        if number is None:
            number = self._fetcher.number(chunk_id)  # looks elsewhere, or names what is missing
        self._needed[pack_of(number)][number & CHUNK_MASK] = 1
