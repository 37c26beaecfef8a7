"""What a writer knows to be stored: it deduplicates against live packs that are there, and whose
key is there.
"""

from collections.abc import Iterable

from common.errors import Conflict
from common.repository.catalog import Segment
from common.repository.format.index import PackEntry
from common.repository.table import ChunkTable

_OWN = 2**64 - 1
"""Marks chunks of this very run."""


class KnownChunks:
    """Ids of stored chunks, and which packs the run relies on."""

    def __init__(
        self, segments: Iterable[Segment], present: set[bytes], key_ids: set[bytes]
    ) -> None:
        self._table = ChunkTable()
        self._packs: list[bytes] = []
        self._relied = bytearray()
        self.segments: set[str] = set()
        numbers: dict[bytes, int] = {}
        for segment in segments:
            self.segments.add(segment.name)
            for entry in segment.entries:
                usable = entry.pack_id in present and entry.key_id in key_ids
                if entry.retired or not usable or entry.pack_id in numbers:
                    continue
                number = numbers[entry.pack_id] = len(self._packs)
                self._packs.append(entry.pack_id)
                for chunk_id, _ in entry.directory.all_chunks():
                    self._table.add(chunk_id, number)
        self._relied.extend(bytes(len(self._packs)))

    def note(self, chunk_id: bytes) -> bool:
        """Whether a chunk is stored, or about to be by this run; from now on it is."""
        number = self._table.add(chunk_id, _OWN)
        if number is None:
            return False
        if number != _OWN:
            self._relied[number] = 1
        return True

    def rely(self, chunk_id: bytes) -> bool:
        """Whether a chunk is stored; then this run relies on it."""
        number = self._table.get(chunk_id)
        if number is None:
            return False
        if number != _OWN:
            self._relied[number] = 1
        return True

    def relied(self) -> set[bytes]:
        """The packs of former runs that this run uses chunks of."""
        return {pack for pack, used in zip(self._packs, self._relied, strict=True) if used}

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
