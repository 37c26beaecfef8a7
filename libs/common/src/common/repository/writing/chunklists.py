"""Writing chunk lists as they grow, without ever holding a whole one."""

from common.errors import Invalid
from common.repository.format.chunklist import (
    MAX_LEVEL,
    ROOT_ITEMS,
    ChunkList,
    Item,
    ends_leaf,
    pack_items,
)
from common.repository.writing.storing import ChunkStore


class ListWriter:
    """Takes the items of a content in order; long lists go into chunks of items."""

    def __init__(self, store: ChunkStore) -> None:
        self._store = store
        self._levels: list[list[Item]] = [[]]
        self._size = 0

    def add(self, chunk_id: bytes, length: int) -> None:
        """Append a chunk of the content."""
        self._size += length
        self._append(0, (chunk_id, length))

    def finish(self) -> ChunkList:
        """The chunk list."""
        level = 0
        # A level whose successor has items must itself be a chunk of items in it.
        while level + 1 < len(self._levels) or len(self._levels[level]) > ROOT_ITEMS:
            if self._levels[level]:
                self._close_leaf(level)
            level += 1
        return ChunkList(level, self._size, tuple(self._levels[level]))

    def _append(self, level: int, item: Item) -> None:
        if level > MAX_LEVEL:
            raise Invalid("A file has more chunks than can be listed.")
        if level == len(self._levels):
            self._levels.append([])
        items = self._levels[level]
        items.append(item)
        if len(items) > ROOT_ITEMS and ends_leaf(items):
            self._close_leaf(level)

    def _close_leaf(self, level: int) -> None:
        data = pack_items(self._levels[level])
        self._levels[level] = []
        self._append(level + 1, (self._store.put(data), len(data)))
