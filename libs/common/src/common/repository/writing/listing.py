"""Writing trees as they grow, without ever holding a whole one."""

from collections.abc import Iterable

from common.repository.entry import Entry, check_entry, check_paths
from common.repository.format.block import BlockBuilder, Owner, pack_warnings
from common.repository.format.chunklist import ChunkList, Item
from common.repository.writing.chunklists import ListWriter
from common.repository.writing.storing import ChunkStore

_MOST_WARNINGS = 1000
_LONGEST_END = 500


class TreeWriter:
    """Takes the entries of one component in order."""

    def __init__(self, store: ChunkStore) -> None:
        self._store = store
        self._list = ListWriter(store)
        self._block = BlockBuilder()
        self._unchecked: list[bytes] = []
        self._ended: list[Item] = []
        self.entries = 0
        self.size = 0
        self.warnings: list[str] = []
        self.warned = 0

    def add(self, entry: Entry, content: ChunkList) -> None:
        """Append an entry.

        Raises:
            Invalid: it must not be stored.
            Unstorable: it cannot be; nothing was appended.
        """
        check_entry(entry)
        ended = self._block.add(entry, content)
        self.entries += 1
        self.size += content.size
        if ended:
            self.end_block()

    def add_plain(
        self, path: bytes, owner: Owner, mode: int, mtime_ns: int, size: int, chunk_id: bytes
    ) -> None:
        """Append a file that is one chunk or empty, and has no extended attributes.

        Its path is checked with others of its block, before that is stored.
        """
        self._unchecked.append(path)
        ended = self._block.add_plain(path, owner, mode, mtime_ns, size, chunk_id)
        self.entries += 1
        self.size += size
        if ended:
            self.end_block()

    def add_blocks(self, blocks: Iterable[Item], entries: int, size: int) -> None:
        """Append blocks that are stored already, with so many entries, and bytes of content."""
        for chunk_id, length in blocks:
            self._list.add(chunk_id, length)
        self.entries += entries
        self.size += size

    def take_blocks(self) -> list[Item]:
        """End the block that has begun; all blocks that ended since this was asked last.

        Raises:
            Invalid: as ``end_block``.
        """
        if len(self._block):
            self.end_block()
        ended, self._ended = self._ended, []
        return ended

    def warn(self, message: str) -> None:
        """Keep a warning, of a long one the ends; past the first thousand they are only counted."""
        self.warned += 1
        if self.warned <= _MOST_WARNINGS:
            if len(message) > 2 * _LONGEST_END:
                message = f"{message[:_LONGEST_END]}...{message[-_LONGEST_END:]}"
            self.warnings.append(message)

    def finish(self) -> ChunkList:
        """The tree."""
        self.take_blocks()
        if self.warnings:
            self._put(pack_warnings(self.warnings))
        return self._list.finish()

    def end_block(self) -> None:
        """End the block, whatever the paths say.

        Raises:
            Invalid: a path in it could escape.
        """
        check_paths(self._unchecked)
        self._unchecked.clear()
        self._ended.append(self._put(self._block.take()))

    def _put(self, block: bytes) -> Item:
        item = (self._store.put(block), len(block))
        self._list.add(*item)
        return item
