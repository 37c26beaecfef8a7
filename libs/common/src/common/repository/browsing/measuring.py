"""Sizes: what each backup and the whole repository take, and what prune could give back."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from common.repository.damage import Damaged
from common.repository.format.chunklist import ChunkList
from common.repository.format.pack import TREE
from common.repository.history import SnapshotInfo
from common.repository.index.catalog import CHUNK_MASK, PerChunk, pack_of
from common.repository.progress import OnProgress, counted
from common.repository.reading.fetch import Fetcher, items
from common.repository.reading.trees import OnDamage, read_block

_NOBODY, _MANY = 0, 2**32 - 1


@dataclass(frozen=True, slots=True)
class BackupSize:
    """What one backup takes, in bytes.

    ``size`` is what a restore writes; ``unique`` what no other backup needs, ``unique_stored`` the
    same as it is stored; ``added`` and ``stored`` are what its run brought, as it said itself.
    """

    snapshot: SnapshotInfo
    size: int
    unique: int
    unique_stored: int
    added: int
    stored: int


@dataclass(frozen=True, slots=True)
class RepositorySize:
    """What the whole repository takes, in bytes.

    ``size`` is the sum of what restores write; ``needed`` are the different chunks of that, and
    ``needed_stored`` the same as it is stored; ``trees`` is what names and metadata take beside it.
    ``packs`` is what packs take on disk, of it ``unlisted`` those that no index lists: of runs at
    work, or killed; ``others`` is the rest of the objects. ``waste`` is what of the listed packs no
    backup needs, ``prunable`` how much of that prune gives back at the threshold it was asked for.
    """

    backups: tuple[BackupSize, ...]
    size: int
    needed: int
    needed_stored: int
    trees: int
    packs: int
    unlisted: int
    others: int
    waste: int
    prunable: int

    @property
    def deduplication(self) -> float:
        """How many bytes of backups each different byte stands for."""
        return self.size / self.needed if self.needed else 1.0

    @property
    def compression(self) -> float:
        """How many bytes of chunks each stored byte stands for."""
        return self.needed / self.needed_stored if self.needed_stored else 1.0


class Measure:
    """Finds out which backup needs which chunk: no one, one, or several."""

    def __init__(self, fetcher: Fetcher, on_damage: OnDamage) -> None:
        self._fetcher = fetcher
        self._catalog = fetcher.catalog
        self._on_damage = on_damage
        self._owners = PerChunk(fetcher.catalog, lambda count: array("I", bytes(4 * count)))
        self._blocks: dict[bytes, int] = {}

    def run(
        self,
        snapshots: Sequence[SnapshotInfo],
        packs: int,
        others: int,
        *,
        waste: float,
        on_progress: OnProgress | None = None,
    ) -> RepositorySize:
        """Measure these backups, which are all, and everything.

        On the disk packs and the other objects take so many bytes.
        """
        for number, info in enumerate(counted(snapshots, "trees", on_progress), 1):
            for component in info.components:
                self._tree(component.tree, number)
        return self._sum(snapshots, packs, others, waste)

    def _tree(self, tree: ChunkList, owner: int) -> None:
        for chunk_id, length in self._follow(tree, owner):
            known = self._blocks.get(chunk_id, _NOBODY)
            if known in (owner, _MANY):
                continue
            # A block seen in a second backup is gone through again, to tell that its chunks are
            # shared; after that its owner is nobody in particular and it is left alone.
            self._blocks[chunk_id] = owner if known == _NOBODY else _MANY
            try:
                block = read_block(self._fetcher, chunk_id, length)
            except Damaged as error:
                self._on_damage(error)
                continue
            for entry in block.entries:
                for _ in self._follow(entry.content, owner):
                    pass

    def _follow(self, chunks: ChunkList, owner: int) -> Iterator[tuple[bytes, int]]:
        def mark(chunk_id: bytes, _length: int) -> None:
            self._mark(chunk_id, owner)

        for item in items(self._fetcher, chunks, mark):
            if isinstance(item, Damaged):
                self._on_damage(item)
                continue
            self._mark(item[0], owner)
            yield item

    def _mark(self, chunk_id: bytes, owner: int) -> None:
        try:
            number = self._fetcher.number(chunk_id)
        except Damaged:
            return  # lost: check tells it
        owners, place = self._owners[pack_of(number)], number & CHUNK_MASK
        if owners[place] != owner:
            owners[place] = owner if owners[place] == _NOBODY else _MANY

    def _sum(
        self, snapshots: Sequence[SnapshotInfo], packs: int, others: int, waste: float
    ) -> RepositorySize:
        totals = _Totals(len(snapshots))
        for number, pack in enumerate(self._catalog.packs):
            tree = pack.directory.kind == TREE
            totals.add(pack.size, self._chunks(number), waste, tree=tree)
        return RepositorySize(
            backups=tuple(
                BackupSize(
                    info,
                    size=sum(component.size for component in info.components),
                    unique=totals.raw[number],
                    unique_stored=round(totals.stored[number]),
                    added=info.statistics.added,
                    stored=info.statistics.stored,
                )
                for number, info in enumerate(snapshots, 1)
            ),
            size=sum(component.size for info in snapshots for component in info.components),
            needed=totals.needed,
            needed_stored=round(totals.needed_stored),
            trees=round(sum(totals.stored[1:]) - totals.needed_stored),
            packs=packs,
            unlisted=max(0, packs - sum(pack.size for pack in self._catalog.packs)),
            others=others,
            waste=totals.waste,
            prunable=totals.prunable,
        )

    def _chunks(self, number: int) -> Iterable[tuple[int, int, float]]:
        """Owner, length and share of the stored bytes of each chunk of a pack."""
        owners = iter(self._owners[number])
        for record, chunks in self._catalog.packs[number].directory.records_with_chunks():
            for _, length in chunks:
                yield next(owners), length, record.stored * length / record.raw


class _Totals:
    """Bytes by owner: at 0 those of nobody, at the end those of many."""

    def __init__(self, backups: int) -> None:
        self.raw = [0] * (backups + 2)
        self.stored = [0.0] * (backups + 2)
        self.needed = 0
        self.needed_stored = 0.0
        self.waste = 0
        self.prunable = 0

    def add(
        self, size: int, chunks: Iterable[tuple[int, int, float]], threshold: float, *, tree: bool
    ) -> None:
        """Count one pack, by its chunks: owner, length, share of the stored bytes."""
        total, unneeded, needed_stored = 0, 0, 0.0
        for owner, length, share in chunks:
            place = -1 if owner == _MANY else owner
            self.raw[place] += length
            self.stored[place] += share
            total += length
            unneeded += length if owner == _NOBODY else 0
            needed_stored += share if owner != _NOBODY else 0
        if not tree:
            self.needed += total - unneeded
            self.needed_stored += needed_stored
        if unneeded:
            lost = size - round(needed_stored)
            self.waste += lost
            self.prunable += lost if unneeded > threshold * total else 0
