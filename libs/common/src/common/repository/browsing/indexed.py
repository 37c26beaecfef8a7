"""The tree of a component, to be asked for a path: read once, then block by block as it is needed.

Kept are a number for each entry and the blocks of each folder, and of the blocks the last used.
"""

from array import array
from collections.abc import Iterator
from functools import lru_cache

from blake3 import blake3

from common.errors import NotFound
from common.repository.damage import Damaged
from common.repository.entry import EntryType, show_path
from common.repository.format.blockreader import StoredEntry
from common.repository.format.chunklist import ChunkList, Item
from common.repository.format.pack import CHUNK_ID_SIZE
from common.repository.index.table import ChunkTable
from common.repository.reading.fetch import Fetcher, items
from common.repository.reading.trees import OnDamage, read_block

_BLOCKS = 48


class IndexedTree:
    """The entries of one tree by their paths. May be used by one thread at a time."""

    def __init__(self, fetcher: Fetcher, tree: ChunkList, on_damage: OnDamage) -> None:
        self._fetcher = fetcher
        self._blocks: list[Item] = []
        self._numbers = ChunkTable()
        self._folders: dict[bytes, array[int]] = {}
        self._entries = lru_cache(_BLOCKS)(self._read)
        for item in items(fetcher, tree):
            try:
                if isinstance(item, Damaged):
                    raise item
                self._note(item)
            except Damaged as error:
                on_damage(error)

    def entry(self, path: bytes) -> StoredEntry:
        """The entry at a path.

        Raises:
            NotFound: there is none that can be read.
        """
        number = self._numbers.get(_digest(path))
        found = None if number is None else self._entries(number).get(path)
        if found is None:
            raise NotFound(f"There is no {show_path(path)}.")
        return found

    def folder(self, path: bytes) -> Iterator[StoredEntry]:
        """What is in a folder; nothing where there is no such folder."""
        for number in self._folders.get(path, ()):
            for entry in self._entries(number).values():
                if entry.path and entry.path.rpartition(b"/")[0] == path:
                    yield entry

    def file(self, path: bytes) -> StoredEntry:
        """The entry at a path; of a hard link the one that it names. Raises ``NotFound``."""
        entry = self.entry(path)
        return self.entry(entry.target) if entry.type is EntryType.HARDLINK else entry

    def _note(self, item: Item) -> None:
        number = len(self._blocks)
        self._blocks.append(item)
        for entry in read_block(self._fetcher, *item).entries:
            self._numbers.add(_digest(entry.path), number)
            if entry.path:
                inside = self._folders.setdefault(entry.path.rpartition(b"/")[0], array("I"))
                if not inside or inside[-1] != number:
                    inside.append(number)

    def _read(self, number: int) -> dict[bytes, StoredEntry]:
        block = read_block(self._fetcher, *self._blocks[number])
        return {entry.path: entry for entry in block.entries}


def _digest(path: bytes) -> bytes:
    return blake3(path).digest(length=CHUNK_ID_SIZE)
