"""Copying a repository as it is: the objects that the other folder lacks, each verified."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from common.errors import Conflict, Corrupt, NotFound, Unavailable
from common.repository.format.config import FormerKey, RepositoryConfig
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import (
    CONFIG,
    Kind,
    key_name,
    kind_of,
    pack_name,
    snapshot_name,
)
from common.repository.format.runkey import parse_run_key
from common.repository.format.snapshot import Snapshot
from common.repository.history import SnapshotInfo
from common.repository.marking import Marks
from common.repository.reader import Reader
from common.repository.recording import OnProgress
from common.repository.session import Session, read_config
from common.repository.streaming import pieces, write_verified
from common.storage.local import LocalDirectory
from common.storage.store import ObjectInfo

_OWNER = "copy"


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

    Raises:
        Conflict: the target holds another repository, or this one at a later change of keys.
    """
    target.prepare()
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
        self._config = b""
        self._generation_there = 0

    def run(self) -> CopyReport:
        self._target.discard(_OWNER)
        # Snapshots are read before anything else: what they need is there to be copied.
        source = self._session.source
        snapshots = [info for info in source.list("snapshots/") if self._wanted(info.name)]
        self._bodies = self._session.history.load(lambda _name, _error: None)
        snapshots.sort(key=self._written)
        before = self._config_there()
        self._folder("packs/")
        self._keys()
        self._folder("index/")
        # What is there already may be that of a copy that died before it was durable.
        self._target.settle_all()
        there = {info.name: info.size for info in self._target.list("snapshots/")}
        # Also where something failed: the copy is no worse than what it is of.
        for info in snapshots:
            self._object(info, there)
        self._conclude()
        if self._config and self._config_there() == before:
            self._report.present += 1
        elif self._config:
            self._report.copied += 1
            self._report.copied_bytes += len(self._config)
        return self._report

    def _keys(self) -> None:
        """``config`` and run keys, once more when they were changed meanwhile."""
        generation = -1
        while generation != self._announce():
            generation = self._generation_there
            self._folder("keys/")

    def _announce(self) -> int:
        """Let the target open the run keys that are about to come, and those that it has.

        After a rotation its own key pair becomes a former one, for as long as it has keys for it.
        That works when both are sealed under one encryption key. Gives the generation here.
        """
        try:
            data = self._session.source.read(CONFIG, 0, MAX_SIZE + 1)
            config = RepositoryConfig.parse(data)
            config.authenticate(self._session.keys.writer_key)
        except (NotFound, Corrupt) as error:
            self._report.failed[CONFIG] = error.message
            return self._generation_there
        self._config, self._generation_there = data, config.generation
        found = self._config_there()
        if found is None:
            self._target.write(CONFIG, data, owner=_OWNER)
        elif found.generation < config.generation:
            former = _pairs_without(config, found)
            if former and found.sealing == config.sealing:
                config = replace(config, former=(*config.former, *former))
                data = config.pack(self._session.keys.writer_key)
            elif former:
                return self._generation_there
            self._target.write(CONFIG, data, owner=_OWNER)
        return self._generation_there

    def _conclude(self) -> None:
        """Leave ``config`` as it is here, unless the target has run keys for a former pair."""
        found = self._config_there()
        if found is None or found.generation > self._generation_there or not self._config:
            return
        config = RepositoryConfig.parse(self._config)
        former = _pairs_without(config, found) if found.sealing == config.sealing else ()
        if found != config and not (former and self._left_behind(config)):
            self._target.write(CONFIG, self._config, owner=_OWNER)

    def _config_there(self) -> RepositoryConfig | None:
        """The target's; None where it is missing, damaged or forged."""
        try:
            found = read_config(self._target)
            found.authenticate(self._session.keys.writer_key)
        except (NotFound, Corrupt):
            return None
        return found

    def _left_behind(self, config: RepositoryConfig) -> bool:
        """Whether the target has run keys that a prune has removed here, for a former pair."""
        there = Session(self._target, config, self._session.keys)
        keys = there.wrapped_keys(lambda _name, _error: None)
        return any(config.public_key.recipient not in key.wrapped for key in keys)

    def _written(self, snapshot: ObjectInfo) -> tuple[bool, float]:
        """Orders snapshots as they were written, so that no chain has a gap meanwhile."""
        body = self._bodies.get(snapshot.name.rpartition("/")[2])
        if body is None:
            return True, 0.0  # damaged: it has no place
        return False, (body.finished or body.created).timestamp()

    def _folder(self, folder: str) -> None:
        there = {info.name: info.size for info in self._target.list(folder)}
        found = [info for info in self._session.source.list(folder) if self._wanted(info.name)]
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
            self._report.present += 1
            return
        try:
            content = pieces(self._session.source, info.name)
            write_verified(self._target, info.name, content, owner=_OWNER)
        except NotFound:
            return  # prune has removed it meanwhile; what needs it has gone before
        except Corrupt as error:
            self._report.failed[info.name] = error.message
            return
        self._report.copied += 1
        self._report.copied_bytes += info.size

    def _key(self, name: str) -> None:
        """A run key: it keeps its name when keys are changed."""
        try:
            data = self._session.source.read(name, 0, MAX_SIZE + 1)
            generation = self._generation(name, data)
            if generation > self._generation_there:
                self._announce()
            if self._is_newer_there(name, data, generation):
                self._report.present += 1
                return
        except NotFound:
            return
        except Corrupt as error:
            self._report.failed[name] = error.message
            return
        self._target.write(name, data, owner=_OWNER)
        self._report.copied += 1
        self._report.copied_bytes += len(data)

    def _is_newer_there(self, name: str, data: bytes, generation: int) -> bool:
        """Whether the target has this, the same or of a later change of keys."""
        try:
            found = self._target.read(name, 0, MAX_SIZE + 1)
            return found == data or self._generation(name, found) > generation
        except (NotFound, Corrupt):
            return False

    def _generation(self, name: str, data: bytes) -> int:
        return parse_run_key(data, name, self._session.keys).generation


def _pairs_without(config: RepositoryConfig, found: RepositoryConfig) -> tuple[FormerKey, ...]:
    """The key pairs of one config that the other lacks."""
    known = {former.public_key for former in config.former} | {config.public_key}
    own = (FormerKey(found.public_key, found.private_key), *found.former)
    return tuple(pair for pair in own if pair.public_key not in known)
