"""What the first process of a run knows to be stored: which packs of former runs, too."""

from collections.abc import Iterable, Iterator
from itertools import chain

from common.errors import Conflict
from common.repository.format.chunklist import ITEM
from common.repository.format.index import PackEntry
from common.repository.index.catalog import Segment
from common.repository.index.filling import Filling
from common.repository.index.known import KnownChunks
from common.repository.index.table import ChunkTable

_MANY = 64
"""So many chunks are looked up faster by numpy, where it is loaded already."""

_SAMPLE = 4 * 1024**2
_NEW = 500_000
"""Room for chunks of the run; when it is used up, each look-up takes longer."""


class KnownPacks(KnownChunks):
    """What the first process of a run knows: the packs as well."""

    def __init__(
        self,
        segments: Iterable[Segment],
        present: set[bytes],
        key_ids: set[bytes],
        size: int = 0,
    ) -> None:
        """``size`` is that of all segments together."""
        self._packs: dict[bytes, int] = {}
        self.segments: set[str] = set()
        first, others = _first(iter(segments))
        table = ChunkTable.shared(_expected(first, size))
        filling = Filling(table)
        for segment in chain(first, others):
            self.segments.add(segment.name)
            for entry in segment.entries:
                usable = entry.pack_id in present and entry.key_id in key_ids
                if entry.retired or not usable or entry.pack_id in self._packs:
                    continue
                number = self._packs[entry.pack_id] = len(self._packs) + 1
                filling.add(entry.directory.chunks, number)
        filling.flush()
        self._vectors = filling.loaded
        super().__init__(table, len(self._packs))

    def rely_all(self, packed: bytes, stride: int) -> bool:
        """As of any process; where there are very many chunks, by numpy, which is loaded then."""
        if not self._vectors or stride != ITEM.size or len(packed) < _MANY * stride:
            return super().rely_all(packed, stride)
        from common.repository.index.vectors import contains_all  # noqa: PLC0415 - is there

        return contains_all(self.table, packed, self.marks)

    def merge(self, marks: bytes) -> None:
        """Rely on what another process relies on."""
        mine = int.from_bytes(self.marks, "little") | int.from_bytes(marks, "little")
        self.marks[:] = mine.to_bytes(len(self.marks), "little")

    def relied(self) -> set[bytes]:
        """The packs of former runs that this run uses chunks of."""
        return {pack for pack, number in self._packs.items() if self.marks[number]}

    def endangered(self, segments: Iterable[Segment], present: set[bytes]) -> list[PackEntry]:
        """Of the packs relied on, those that prune has retired since: to be listed as live again.

        Raises:
            Conflict: one is gone.
        """
        relied = self.relied()
        live: set[bytes] = set()
        retired: dict[bytes, PackEntry] = {}
        for segment in segments:
            for entry in segment.entries:
                if entry.pack_id in relied and entry.retired:
                    retired[entry.pack_id] = entry
                elif entry.pack_id in relied:
                    live.add(entry.pack_id)
        if not relied <= present or not relied <= live | retired.keys():
            raise Conflict(
                "A prune has removed data that this backup was about to use.",
                remedy="Run the backup again.",
            )
        return [entry for pack_id, entry in retired.items() if pack_id not in live]


def _first(segments: Iterator[Segment]) -> tuple[list[Segment], Iterator[Segment]]:
    """Some of the segments, enough to tell from how much they hold."""
    first, size = [], 0
    for segment in segments:
        first.append(segment)
        size += sum(entry.listed_size() for entry in segment.entries)
        if size >= _SAMPLE:
            break
    return first, segments


def _expected(first: list[Segment], size: int) -> int:
    """How many chunks there will be: those of all segments, as it looks, and some new ones."""
    entries = [entry for segment in first for entry in segment.entries]
    chunks = sum(len(entry.directory) for entry in entries)
    seen = sum(entry.listed_size() for entry in entries)
    known = chunks * max(size, seen) // seen if seen else 0
    return known + known // 8 + _NEW
