"""Following every tree to every chunk: what does a damaged or missing object affect?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from common.repository.damage import Damaged
from common.repository.fetch import Fetcher, items
from common.repository.format.blockreader import StoredEntry
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.trees import read_block

OnTrouble = Callable[[Damaged, str, bytes | None], None]
"""Told what is damaged, which component of which backup it affects, and the path, if just one."""


@dataclass(slots=True)
class PackWatch:
    """Packs with damage, and every pack that was asked for."""

    damaged: dict[int, tuple[Damaged, set[int] | None]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)

    def use(self, pack: int, record: int) -> Damaged | None:
        """The damage that a record of a pack has; bad records of None are all of them."""
        self.used.add(pack)
        if pack not in self.damaged:
            return None
        error, records = self.damaged[pack]
        return error if records is None or record in records else None


class TreeChecker:
    """Looks up every chunk of every tree. Blocks that backups share are followed once."""

    def __init__(self, fetcher: Fetcher, watch: PackWatch, on_trouble: OnTrouble) -> None:
        self._fetcher = fetcher
        self._watch = watch
        self._on_trouble = on_trouble
        self._good: set[bytes] = set()

    def check(self, info: SnapshotInfo) -> None:
        """Follow one backup."""
        for component in info.components:
            self._component(f"{info.backup_name or info.id[:16]}, {component.name}", component)

    def _component(self, where: str, component: StoredComponent) -> None:
        def use(chunk_id: bytes, length: int) -> None:
            trouble = self._use(chunk_id, length)
            if trouble is not None:
                self._on_trouble(trouble, where, None)

        for item in items(self._fetcher, component.tree, use):
            if isinstance(item, Damaged):
                self._on_trouble(item, where, None)
            elif item[0] not in self._good:
                use(*item)
                self._block(where, *item)

    def _block(self, where: str, chunk_id: bytes, length: int) -> None:
        try:
            block = read_block(self._fetcher, chunk_id, length)
        except Damaged as error:
            self._on_trouble(error, where, None)
            return
        good = True
        for entry in block.entries:
            for trouble in self.troubles(entry):
                self._on_trouble(trouble, where, entry.path)
                good = False
        if good:
            self._good.add(chunk_id)

    def troubles(self, entry: StoredEntry) -> Iterator[Damaged]:
        """What is wrong with the content of one entry."""
        lists: list[tuple[bytes, int]] = []
        for item in items(self._fetcher, entry.content, lambda *chunk: lists.append(chunk)):
            trouble = item if isinstance(item, Damaged) else self._use(*item)
            if trouble is not None:
                yield trouble
        yield from (trouble for chunk in lists if (trouble := self._use(*chunk)) is not None)

    def _use(self, chunk_id: bytes, length: int) -> Damaged | None:
        try:
            place = self._fetcher.place(chunk_id, length)
        except Damaged as error:
            return error
        return self._watch.use(place.pack, place.record)
