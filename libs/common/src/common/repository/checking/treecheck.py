"""Following every tree to every chunk: what does a damaged or missing object affect?"""

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from common.forked import Link, spread
from common.repository.damage import Damaged
from common.repository.entry import EntryType
from common.repository.format.blockreader import Lone, StoredEntry
from common.repository.format.chunklist import Item
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.index.catalog import pack_of
from common.repository.reading.fetch import Fetcher, items
from common.repository.reading.trees import block_items, read_block, read_references

OnTrouble = Callable[[Damaged, str, bytes | None], None]
"""Told what is damaged, which component of which backup it affects, and the path, if just one."""


@dataclass(slots=True)
class PackWatch:
    """Packs with damage, and every pack that was asked for.

    Of those that are ``spared`` something was damaged that another pack has too.
    """

    damaged: dict[int, tuple[Damaged, set[int] | None]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    spared: set[int] = field(default_factory=set)

    def use(self, pack: int, record: int) -> Damaged | None:
        """The damage that a record of a pack has; bad records of None are all of them."""
        self.used.add(pack)
        if pack not in self.damaged:
            return None
        error, records = self.damaged[pack]
        return error if records is None or record in records else None

    def merge(self, other: "PackWatch") -> None:
        """Note what another process was asked for."""
        self.used |= other.used
        self.spared |= other.spared


class TreeChecker:
    """Looks up every chunk of trees. What backups share is followed once.

    First the backups are added, then all of their blocks are checked by several processes.
    """

    def __init__(self, fetcher: Fetcher, watch: PackWatch, on_trouble: OnTrouble) -> None:
        self._fetcher = fetcher
        self._watch = watch
        self._on_trouble = on_trouble
        self._blocks: dict[Item, dict[str, None]] = {}
        self._good_lists: dict[tuple[bytes, int], int] = {}

    @property
    def size(self) -> int:
        """The bytes of all blocks."""
        return sum(length for _, length in self._blocks)

    def add(self, info: SnapshotInfo) -> None:
        """Follow the trees of one backup down to their blocks."""
        for component in info.components:
            self._component(f"{info.backup_name or info.id[:16]}, {component.name}", component)

    def _component(self, where: str, component: StoredComponent) -> None:
        def use(chunk_id: bytes, length: int) -> None:
            trouble = self._use(chunk_id, length)
            if trouble is not None:
                self._on_trouble(trouble, where, None)

        for item in block_items(self._fetcher, component.tree, use):
            if isinstance(item, Damaged):
                self._on_trouble(item, where, None)
            else:
                self._blocks.setdefault(item, {})[where] = None

    def check(self, on_progress: Callable[[int], None] = lambda _: None) -> None:
        """Look into all blocks; told are the bytes of those that are done."""
        done = 0
        lost: dict[str, dict[bytes, Damaged]] = {}
        for message in spread(list(self._blocks), self._share):
            if isinstance(message, PackWatch):
                self._watch.merge(message)
                continue
            item, troubles = message
            done += item[1]
            on_progress(done)
            for trouble, path in troubles:
                for where in self._blocks[item]:
                    self._on_trouble(trouble, where, path)
                    if path is not None:
                        lost.setdefault(where, {}).setdefault(path, trouble)
        self._other_names(lost)

    def _other_names(self, lost: Mapping[str, Mapping[bytes, Damaged]]) -> None:
        """Tell of the hard links to what each component has lost: they are lost with it."""
        for item, components in self._blocks.items():
            harmed = [where for where in components if where in lost]
            with suppress(Damaged):  # told before
                entries = read_block(self._fetcher, *item).entries if harmed else ()
                for entry in entries:
                    for where in harmed if entry.type is EntryType.HARDLINK else ():
                        if entry.target in lost[where]:
                            self._on_trouble(lost[where][entry.target], where, entry.path)

    def _share(self, blocks: Iterator[Item], link: Link) -> None:
        """What each process does."""
        for item in blocks:
            link.tell((item, list(self._block(item))))
        link.tell(PackWatch(used=self._watch.used, spared=self._watch.spared))

    def _block(self, item: Item) -> Iterator[tuple[Damaged, bytes | None]]:
        trouble = self._use(*item)
        if trouble is not None:
            yield trouble, None
        try:
            entries = read_references(self._fetcher, *item)
        except Damaged as error:
            yield error, None
            return
        for entry in entries:
            if isinstance(entry, Lone):  # by far the most
                trouble = self._use(entry.chunk_id, entry.length)
                if trouble is not None:
                    yield trouble, entry.path
                continue
            for trouble in self.troubles(entry):
                yield trouble, entry.path

    def troubles(self, entry: StoredEntry) -> Iterator[Damaged]:
        """What is wrong with the content of one entry."""
        content = entry.content
        if content.level == 0 and len(content.root) <= 1:  # by far the most
            trouble = self._use(*content.root[0]) if content.root else None
            if trouble is not None:
                yield trouble
            return
        lists: dict[tuple[bytes, int], None] = {}
        followed: dict[tuple[bytes, int], int] = {}
        good = True
        for item in items(
            self._fetcher,
            entry.content,
            lambda *chunk: lists.setdefault(chunk),
            ChainMap(followed, self._good_lists),
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

    def _use(self, chunk_id: bytes, length: int) -> Damaged | None:
        catalog = self._fetcher.catalog
        number = catalog.number(chunk_id)
        if number is not None and catalog.length(number) == length:
            pack = pack_of(number)
            if pack not in self._watch.damaged:  # by far the most
                self._watch.used.add(pack)
                return None
        try:
            place = self._fetcher.place(chunk_id, length)
        except Damaged as error:
            return error
        trouble = self._watch.use(place.pack, place.record)
        if trouble is None:
            return None
        for other in self._fetcher.others(chunk_id, length, place.pack):
            if self._watch.use(other.pack, other.record) is None:
                self._watch.spared.add(place.pack)
                return None
        return trouble
