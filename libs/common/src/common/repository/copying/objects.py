"""Copying a repository as it is: the objects that the other folder lacks, each verified."""

from collections.abc import Collection
from dataclasses import dataclass, field

from common.errors import Conflict, Corrupt, NotFound, Unavailable
from common.repository.copying.opening import OWNER, Opening
from common.repository.format.names import (
    Kind,
    key_name,
    kind_of,
    pack_name,
    snapshot_name,
)
from common.repository.format.snapshot import Snapshot
from common.repository.history import SnapshotInfo
from common.repository.lock import exclusive
from common.repository.progress import OnProgress
from common.repository.pruning.marking import Marks
from common.repository.reader import Reader
from common.repository.reading.streaming import pieces, write_verified
from common.repository.session import Session, read_config
from common.storage.local import LocalDirectory
from common.storage.store import ObjectInfo


@dataclass(slots=True)
class CopyReport:
    """What was copied, what was there already, and what is damaged or gone here and was not."""

    copied: int = 0
    copied_bytes: int = 0
    present: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def copy_objects(
    session: Session,
    target: LocalDirectory,
    *,
    only: "Selection | None" = None,
    on_progress: OnProgress | None = None,
) -> CopyReport:
    """Bring ``target`` up to date with this repository; nothing is ever deleted there.

    Packs first and snapshots last, so that a copy that was interrupted lists only what is whole;
    the next call goes on. ``only`` confines it to some backups.

    The target is locked meanwhile: a change of keys there would be undone in part, and a prune
    would take for waste what no index lists yet. Backups into it go on.

    Raises:
        Conflict: the target holds another repository, or this one at a later change of keys, or
            run keys that the keys of now would not open; or something else is changing it.
    """
    target.prepare()
    with exclusive(target.path):
        _check_target(session, target)
        return _Copy(session, target, only, on_progress).run()


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects that some backups need."""

    packs: frozenset[str]
    keys: frozenset[str]
    snapshots: frozenset[str]

    def __contains__(self, name: str) -> bool:
        chosen = {Kind.PACK: self.packs, Kind.KEY: self.keys, Kind.SNAPSHOT: self.snapshots}
        kind = kind_of(name)
        return kind is Kind.INDEX or (kind in chosen and name in chosen[kind])


def select(reader: Reader, backups: Collection[SnapshotInfo]) -> Selection:
    """What these backups need.

    Raises:
        Corrupt: one is damaged: what it needs cannot be told.
    """
    fetcher = reader.fetcher
    marks = Marks(fetcher)
    marks.follow([info.body for info in backups])
    packs = [pack for number, pack in enumerate(fetcher.catalog.packs) if any(marks.needed(number))]
    return Selection(
        frozenset(pack_name(pack.pack_id) for pack in packs),
        frozenset(key_name(pack.key_id) for pack in packs),
        frozenset(snapshot_name(info.id) for info in backups),
    )


def is_same_repository(session: Session, target: LocalDirectory) -> bool:
    """Whether the target is a copy of this repository, or can become one: it is empty, or a first
    copy that was interrupted before it had a config.
    """
    try:
        return read_config(target).repository == session.config.repository
    except NotFound:
        return all(kind_of(info.name) is not None for info in target.list())
    except Unavailable:  # there is no such folder yet
        return True


def _check_target(session: Session, target: LocalDirectory) -> None:
    try:
        found = read_config(target)
    except NotFound:
        return  # empty, or a first copy that was interrupted
    if found.repository != session.config.repository:
        raise Conflict(f"{target.path} holds another repository.", remedy="Choose another folder.")
    found.authenticate(session.keys.writer_key)
    if found.generation > session.config.generation:
        raise Conflict(
            f"The keys were changed in {target.path}, and not here since.",
            remedy="Copy in the other direction first.",
        )


class _Copy:
    """One copying of objects."""

    def __init__(
        self,
        session: Session,
        target: LocalDirectory,
        only: Selection | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._session = session
        self._target = target
        self._only = only
        self._on_progress = on_progress
        self._report = CopyReport()
        self._bodies: dict[str, Snapshot] = {}
        self._counted: set[str] = set()
        self._gone: set[str] = set()
        self._again = False
        self._opening = Opening(session, target, self._report.failed, whole=only is None)

    def run(self) -> CopyReport:
        self._target.discard(OWNER)
        before = self._opening.config_there()
        while not self._bring():
            continue  # a prune wrote anew what it removed; what was forgotten is on record
        self._opening.conclude()
        config = self._opening.config
        if config and self._opening.config_there() == before:
            self._report.present += 1
        elif config:
            self._report.copied += 1
            self._report.copied_bytes += len(config)
        return self._report

    def _bring(self) -> bool:
        """Copy all of it; false when something was gone before its turn came."""
        # Snapshots are read before anything else: what they need is there to be copied.
        source = self._session.source
        snapshots = [info for info in source.list("snapshots/") if self._wanted(info.name)]
        if isinstance(source, LocalDirectory):
            # A cut must not take from here what the copy has: its chain would go on without it.
            source.settle("snapshots")
        self._bodies = self._session.history.load(lambda _name, _error: None)
        snapshots.sort(key=self._written)
        self._folder("packs/")
        self._opening.bring(lambda: self._folder("keys/"))
        self._folder("index/")
        self._tell_missing()
        # What is there already may be that of a copy that died before it was durable.
        self._target.settle_all()
        there = {info.name: info.size for info in self._target.list("snapshots/")}
        # Also where something failed: the copy is no worse than what it is of.
        for info in snapshots:
            self._object(info, there)
        again, self._again = self._again, False
        return not again or self._only is not None

    def _tell_missing(self) -> None:
        """Say what is needed, and neither here nor there."""
        needed, sides = self._needed(), (self._session.source, self._target)
        for side in sides:
            for folder in ("packs/", "keys/"):
                needed -= {info.name for info in side.list(folder)}
        if needed:
            needed &= self._needed()  # prune takes a pack off the index before it deletes it
        for name in sorted(needed):
            self._report.failed[name] = f"{name} is missing."

    def _needed(self) -> set[str]:
        """The names of packs and run keys that are chosen, or listed now."""
        if self._only is not None:
            return {*self._only.packs, *self._only.keys}
        packs, keys = self._session.listed(lambda _name, _error: None)
        return {*map(pack_name, packs), *map(key_name, keys)}

    def _written(self, snapshot: ObjectInfo) -> tuple[bool, float]:
        """Orders snapshots as they were written, so that no chain has a gap meanwhile."""
        body = self._bodies.get(snapshot.name.rpartition("/")[2])
        if body is None:
            return True, 0.0  # damaged: it has no place
        return False, (body.finished or body.created).timestamp()

    def _folder(self, folder: str) -> None:
        there = {info.name: info.size for info in self._target.list(folder)}
        # Run keys that are there have to fit the config, also those of other backups.
        kept = there.keys() if folder == "keys/" else ()
        found = [
            info
            for info in self._session.source.list(folder)
            if self._wanted(info.name) or info.name in kept
        ]
        total, done = sum(info.size for info in found), 0
        for info in found:
            if folder == "keys/":
                self._key(info.name)
            else:
                self._object(info, there)
            done += info.size
            if self._on_progress is not None:
                self._on_progress(folder.rstrip("/"), done, total, self._report.copied, info.name)

    def _wanted(self, name: str) -> bool:
        return kind_of(name) is not None and (self._only is None or name in self._only)

    def _object(self, info: ObjectInfo, there: dict[str, int]) -> None:
        if there.get(info.name) == info.size:
            self._count(info.name)
            return
        try:
            content = pieces(self._session.source, info.name)
            write_verified(self._target, info.name, content, owner=OWNER)
        except NotFound:
            self._again |= info.name not in self._gone
            self._gone.add(info.name)
            return
        except Corrupt as error:
            self._report.failed[info.name] = error.message
            return
        self._count(info.name, info.size)

    def _key(self, name: str) -> None:
        try:
            size = self._opening.run_key(name)
        except NotFound:
            return
        except Corrupt as error:
            self._report.failed[name] = error.message
            return
        if size or not self._opening.withheld:
            self._count(name, size)

    def _count(self, name: str, copied: int = 0) -> None:
        """Count an object, of which so many bytes were copied, when it is met first."""
        if name in self._counted:
            return
        self._counted.add(name)
        self._report.copied += copied > 0
        self._report.copied_bytes += copied
        self._report.present += copied == 0
