"""What a writer knows to be stored: it deduplicates against live packs that are there, and whose
key is there.
"""

from common.repository.index.table import ChunkTable

_OWN = 0
"""The number of chunks of this very run; those of the packs it finds begin at 1."""


class KnownChunks:
    """Ids of stored chunks, and which packs the run relies on. Processes share the table; each
    notes for itself what it relies on.
    """

    def __init__(self, table: ChunkTable, packs: int) -> None:
        self.table = table
        self.marks = bytearray(1 + packs)
        """What this process relies on, by the numbers of packs; to be merged by the first one."""

    @classmethod
    def attach(cls, descriptor: int, packs: int) -> "KnownChunks":
        """What another process knows: the descriptor of its table, and its ``packs``."""
        return cls(ChunkTable.attach(descriptor), packs)

    @property
    def packs(self) -> int:
        """How many packs of former runs there are."""
        return len(self.marks) - 1

    def note(self, chunk_id: bytes) -> bool:
        """Whether a chunk is stored, or about to be by this run; from now on it is."""
        number = self.table.add(chunk_id, _OWN)
        if number is None:
            return False
        self.marks[number] = 1
        return True

    def rely(self, chunk_id: bytes) -> bool:
        """Whether a chunk is stored; then this run relies on it."""
        number = self.table.get(chunk_id)
        if number is None:
            return False
        self.marks[number] = 1
        return True

    def rely_all(self, packed: bytes, stride: int) -> bool:
        """Whether each of these chunks is stored; an id begins at every ``stride`` bytes. Then this
        run relies on them; otherwise perhaps on some of them.
        """
        return self.table.contains_all(packed, stride, self.marks)
