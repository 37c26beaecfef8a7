"""Following every tree to every chunk: what does a damaged or missing object affect?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from common.repository.damage import Damaged
from common.repository.fetch import Fetcher, Skip, items
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
        self._good_lists: set[tuple[bytes, int]] = set()

    def check(self, info: SnapshotInfo) -> None:
        """Follow one backup."""
        for component in info.components:
            self._component(f"{info.backup_name or info.id[:16]}, {component.name}", component)

    def _component(self, where: str, component: StoredComponent) -> None:
        def use(chunk_id: bytes, length: int) -> None:
            trouble = self._use(chunk_id, length)
            if trouble is not None:
                self._on_trouble(trouble, where, None)

        for item in items(self._fetcher, component.tree, use, self._repeated(set())):
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
        lists: dict[tuple[bytes, int], None] = {}
        followed: set[tuple[bytes, int]] = set()
        good = True
        for item in items(
            self._fetcher,
            entry.content,
            lambda *chunk: lists.setdefault(chunk),
            self._repeated(followed),
        ):
            trouble = item if isinstance(item, Damaged) else self._use(*item)
            if trouble is not None:
                good = False
                yield trouble
        for chunk in lists:
            trouble = self._use(*chunk)
            if trouble is not None:
                good = False
                yield trouble
        if good:
            self._good_lists |= followed

    def _repeated(self, followed: set[tuple[bytes, int]]) -> Skip:
        """What leaves out chunks of items that were good before, or followed just now."""

        def skip(chunk_id: bytes, level: int) -> bool:
            key = (chunk_id, level)
            known = key in followed or key in self._good_lists
            followed.add(key)
            return known

        return skip

    def _use(self, chunk_id: bytes, length: int) -> Damaged | None:
        try:
            place = self._fetcher.place(chunk_id, length)
        except Damaged as error:
            return error
        return self._watch.use(place.pack, place.record)
