"""The snapshots of a repository: the backups in it, and the chains that they form."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from common.errors import Corrupt, NotFound
from common.repository.format.names import snapshot_name
from common.repository.format.snapshot import (
    MAX_SNAPSHOT,
    Removed,
    Snapshot,
    Statistics,
    StoredComponent,
    Witness,
    open_snapshot,
)
from common.repository.objects import ObjectSource, read_whole


class SnapshotInfo(NamedTuple):
    """A backup as the repository lists it.

    ``warnings`` are texts by component, known only to the run that made it: they may contain names
    of files, so the repository holds them sealed.
    """

    id: str
    body: Snapshot
    warnings: Mapping[str, tuple[str, ...]] = {}

    @property
    def run_id(self) -> UUID:
        """The run that made it."""
        return self.body.run

    @property
    def chain(self) -> str:
        """The chain it stands in."""
        return self.body.link.chain

    @property
    def counter(self) -> int:
        """Its place there."""
        return self.body.link.counter

    @property
    def previous(self) -> str | None:
        """The id before it."""
        return self.body.link.previous

    @property
    def backup_id(self) -> str:
        """The operation's id."""
        return self.body.backup_id

    @property
    def backup_name(self) -> str:
        """Its name for people."""
        return self.body.backup_name

    @property
    def plan(self) -> str:
        """The plan it was made by."""
        return self.body.plan

    @property
    def station(self) -> str:
        """Where it was made."""
        return self.body.station

    @property
    def backup_type(self) -> str:
        """As it was asked for."""
        return self.body.backup_type

    @property
    def created(self) -> datetime:
        """When the run began."""
        return self.body.created

    @property
    def finished(self) -> datetime:
        """When it was committed."""
        return self.body.finished or self.body.created

    @property
    def components(self) -> tuple[StoredComponent, ...]:
        """What is in it: name, kind, entries, size, details, number of warnings."""
        return self.body.components

    @property
    def statistics(self) -> Statistics:
        """Entries, bytes read, bytes of new chunks, bytes written."""
        return self.body.statistics


class Head(NamedTuple):
    """The newest snapshot of a chain; counter 0 and no id when there is none."""

    counter: int = 0
    snapshot: str | None = None


class History:
    """Reads snapshots; each object once, as they never change."""

    def __init__(self, source: ObjectSource, chain_key: bytes, repository: bytes) -> None:
        self._source = source
        self._chain_key = chain_key
        self._repository = repository
        self._known: dict[str, Snapshot] = {}

    def load(self, damaged: Callable[[str, Corrupt], None] | None = None) -> dict[str, Snapshot]:
        """Every snapshot and tombstone there is now, by id.

        A damaged one is an error, unless ``damaged`` takes it.
        """
        found: dict[str, Snapshot] = {}
        for info in self._source.list("snapshots/"):
            snapshot_id = info.name.rpartition("/")[2]
            try:
                found[snapshot_id] = self._known.get(snapshot_id) or self._read(info.name)
            except NotFound:
                continue  # deleted since it was listed
            except Corrupt as error:
                if damaged is None:
                    raise
                damaged(info.name, error)
        self._known = found
        return found

    def backups(self) -> list[SnapshotInfo]:
        """The backups, oldest first; one with a tombstone is as good as gone."""
        found = self.load(lambda _name, _error: None)
        removed = _forgotten(found)
        backups = [
            SnapshotInfo(snapshot_id, body)
            for snapshot_id, body in found.items()
            if body.kind == "backup" and snapshot_id not in removed
        ]
        return sorted(backups, key=lambda info: (info.created, info.chain, info.counter))

    def knows(self, snapshot_id: str) -> bool:
        """Whether a snapshot is there, or was removed on record."""
        found = self.load(lambda _name, _error: None)
        return snapshot_id in found or snapshot_id in _forgotten(found)

    def forgotten(self) -> set[str]:
        """The ids of the backups that were removed on record."""
        return _forgotten(self.load(lambda _name, _error: None))

    def get(self, snapshot_id: str) -> SnapshotInfo:
        """One backup.

        Raises:
            NotFound: there is none with this id.
            Corrupt: it is damaged.
        """
        name = snapshot_name(snapshot_id)
        body = self._known.get(snapshot_id) or self._read(name)
        if body.kind != "backup":
            raise NotFound(f"{snapshot_id} is not a backup.")
        return SnapshotInfo(snapshot_id, body)

    def heads(self) -> dict[str, Head]:
        """The newest of each chain, tombstones and what they stand for included."""
        heads: dict[str, Head] = {}
        for chain, counter, snapshot_id in self._links():
            if counter > heads.get(chain, Head()).counter:
                heads[chain] = Head(counter, snapshot_id)
        return heads

    def counters(self, chain: str) -> set[int]:
        """The places of a chain that are taken."""
        return {counter for name, counter, _ in self._links() if name == chain}

    def witnesses(self, chain: str) -> tuple[Witness, ...]:
        """The heads of all chains but this one, for a new snapshot."""
        return tuple(
            Witness(name, head.counter, head.snapshot)
            for name, head in sorted(self.heads().items())
            if name != chain and head.snapshot is not None
        )

    def runs(self) -> set[UUID]:
        """Every run that came to its end: it has a snapshot or had one."""
        found = self.load(lambda _name, _error: None).values()
        done = {body.run for body in found if body.kind == "backup"}
        return done | {entry.run for entry in tombstoned(found)}

    def generation(self) -> int:
        """The newest generation of ``config`` that any snapshot was written under."""
        found = self.load(lambda _name, _error: None)
        return max((body.generation for body in found.values()), default=0)

    def _links(self) -> Iterable[tuple[str, int, str]]:
        found = self.load(lambda _name, _error: None)
        for snapshot_id, body in found.items():
            yield body.link.chain, body.link.counter, snapshot_id
        for removed in tombstoned(found.values()):
            yield removed.link.chain, removed.link.counter, removed.snapshot

    def _read(self, name: str) -> Snapshot:
        snapshot = open_snapshot(
            read_whole(self._source, name, MAX_SNAPSHOT), name, self._chain_key
        )
        if snapshot.repository != self._repository:
            raise Corrupt(f"{name} belongs to another repository.")
        return snapshot


def _forgotten(snapshots: Mapping[str, Snapshot]) -> set[str]:
    return {entry.snapshot for entry in tombstoned(snapshots.values())}


def tombstoned(snapshots: Iterable[Snapshot]) -> Iterable[Removed]:
    """Everything that the tombstones among these stand for."""
    return (entry for body in snapshots if body.kind == "tombstone" for entry in body.removed)
