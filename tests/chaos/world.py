"""A small repository, the work that is done in it, and what has to hold whatever happens."""

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

from chaos.sealing import OTHER, PROVIDER, provider_at
from common.crypto.aead import KEY_SIZE
from common.crypto.hpke import PrivateKey
from common.errors import Corrupt
from common.repository.copying.objects import copy_objects
from common.repository.format.blockreader import StoredEntry
from common.repository.format.config import RepositoryConfig
from common.repository.format.names import CONFIG
from common.repository.format.pack import HEADER_SIZE
from common.repository.history import tombstoned
from common.repository.prepared import SnapshotMeta
from common.repository.pruning.prune import PruneSettings
from common.repository.reader import Reader
from common.repository.rekeying.recovery import add_recovery
from common.repository.rekeying.rotation import change_encryption_key, rotate
from common.repository.rekeying.unlocked import Unlocked
from common.repository.repairing.fetching import repair_objects
from common.repository.repairing.index import repair_index
from common.repository.repairing.snapshots import repair_snapshots
from common.storage.local import LocalDirectory
from vault import Keys, add_files

Files = Mapping[bytes, bytes]
NOW = PruneSettings(grace=timedelta(0))
LAST = PruneSettings(grace=timedelta(0), dead_after=timedelta(0), waste=0.1)
RECOVERY = PrivateKey(bytes(range(KEY_SIZE)))


def plain_config(keys: Keys) -> bytes:
    """The config of the tests' repository, sealed by ``PROVIDER``."""
    data, private, writer_key = keys
    sealed = RepositoryConfig.parse(data).sealed_by(PROVIDER, private, writer_key)
    return RepositoryConfig.parse(data).next_generation(**sealed).pack(writer_key)


@dataclass(frozen=True, slots=True)
class Step:
    """Something done in a repository. Done again it finishes what was begun."""

    kind: str
    name: str = ""
    files: Files = field(default_factory=dict, repr=False)
    within: tuple["Step", ...] = field(default=(), repr=False)

    def do(self, path: Path) -> None:
        """Do it, as a process that has just been started would."""
        _STEPS[self.kind](path, self)

    @property
    def parts(self) -> tuple["Step", ...]:
        """What it comes to: a copy to what was done elsewhere before, most to themselves."""
        return self.within if self.kind == "copy" else (self,)


def _backup(path: Path, step: Step) -> None:
    """Those whose names begin alike stand in one chain."""
    repository, run_id, chain = open_at(path), run_of(step.name), f"chain/{step.name[0]}"
    if repository.find_run(run_id) is not None:
        return
    if any(key.run == run_id for key in repository.session.wrapped_keys()):
        repository.abandon(run_id)
    with repository.begin(run_id) as run:
        with run.component("files", "files") as sink:
            add_files(sink, step.files)
        prepared = run.finish(SnapshotMeta(run_id.hex, step.name, chain))
    prepared.commit_next()


def _forget(path: Path, step: Step) -> None:
    repository = open_at(path)
    found = repository.session.history.load()
    for removed in tombstoned(found.values()):
        if removed.run == run_of(step.name):
            repository.forget(removed.snapshot, "as before")
    for info in repository.snapshots():
        if info.backup_name == step.name:
            repository.forget(info.id, "a test")


def _prune(path: Path, _step: Step) -> None:
    open_at(path).prune(NOW)


def _retire(path: Path, _step: Step) -> None:
    open_at(path).prune(PruneSettings())


def _rotate(path: Path, _step: Step) -> None:
    rotate(LocalDirectory(path), provider_at(path))


def _change_key(path: Path, _step: Step) -> None:
    change_encryption_key(LocalDirectory(path), provider_at(path), OTHER)


def _recovery(path: Path, step: Step) -> None:
    add_recovery(LocalDirectory(path), provider_at(path), "paper", RECOVERY.public)


def _reindex(path: Path, _step: Step) -> None:
    reader = open_at(path)
    repair_index(reader.session, reader.keyring())


def _elsewhere(path: Path, step: Step) -> None:
    """Do something in a copy of the repository, which is made first where there is none."""
    if not other_than(path).exists():
        shutil.copytree(path, other_than(path))
    for each in step.within:
        each.do(other_than(path))


def _vanish(path: Path, _step: Step) -> None:
    """Leave an empty folder: a target that was never copied to."""
    shutil.rmtree(path)
    path.mkdir(0o700)


def _copy(path: Path, _step: Step) -> None:
    report = copy_objects(open_at(other_than(path)).session, LocalDirectory(path))
    assert not report.failed


def _damage(path: Path, step: Step) -> None:
    """Lose the file of a backup that is its alone, by a damaged and a missing pack; and the index
    and the key of another one, where a copy has them.
    """
    reader = open_at(path)
    (info,) = (info for info in reader.snapshots() if info.backup_name == step.name)
    source = reader.snapshot(info.id).source("files")
    own = next(entry for entry in source.entries() if entry.path == b"own/a")
    assert isinstance(own, StoredEntry)
    places = [reader.fetcher.place(*item) for item in own.content.root]
    names = sorted({reader.fetcher.catalog.packs[place.pack].name for place in places})
    data = bytearray((path / names[0]).read_bytes())
    data[HEADER_SIZE + 5] ^= 1
    (path / names[0]).write_bytes(data)
    for name in names[1:2]:
        (path / name).unlink()
    if other_than(path).exists():
        for folder in ("keys", "index"):
            min((path / folder).iterdir()).unlink()


def _fetch(path: Path, _step: Step) -> None:
    report = repair_objects(open_at(path), LocalDirectory(other_than(path)))
    remaining = [finding.message for finding in report.remaining if finding.affects]
    if remaining or report.failed:
        raise Corrupt(" ".join([*remaining, *report.failed.values()]))


def _salvage(path: Path, _step: Step) -> None:
    repair_snapshots(open_at(path), lambda _info, _loss: None, forget=True)


_STEPS: dict[str, Callable[[Path, Step], None]] = {
    "backup": _backup,
    "forget": _forget,
    "prune": _prune,
    "retire": _retire,
    "rotate": _rotate,
    "change key": _change_key,
    "recovery": _recovery,
    "reindex": _reindex,
    "elsewhere": _elsewhere,
    "vanish": _vanish,
    "copy": _copy,
    "damage": _damage,
    "fetch": _fetch,
    "salvage": _salvage,
}
MENDS = {"fetch", "salvage"}
REPAIRED = " (repaired)"


def other_than(path: Path) -> Path:
    """Where the copy of a repository is, out of the reach of what happens to it."""
    return path.with_name("other")


def open_at(path: Path) -> Reader:
    """The repository in this folder, opened anew with everything that opens it."""
    state = Unlocked.open(LocalDirectory(path), provider_at(path))

    def renew() -> tuple[PrivateKey, ...]:
        now = Unlocked.open(LocalDirectory(path), provider_at(path))
        return (now.private, *now.former)

    return Reader(state.session, state.private, former=state.former, renew=renew)


def restore(reader: Reader, snapshot_id: str) -> dict[bytes, bytes]:
    """The files of a backup."""
    source = reader.snapshot(snapshot_id).source("files")
    entries = list(source.entries())
    files = {entry.path: bytearray(entry.size) for entry in entries if entry.path}
    for entry, offset, piece in source.contents(entries):
        files[entry.path][offset : offset + len(piece)] = piece
    return {path: bytes(content) for path, content in files.items()}


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised: ``kept`` backups are listed, ``gone`` ones are not; content by name.

    Where it is not ``sound``, something was damaged on purpose and is not mended yet.
    """

    contents: Mapping[str, Files]
    kept: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    sound: bool = True

    def holds(self, path: Path) -> None:
        """Fail unless it holds in this folder, and everything that is listed can be had."""
        if not self.kept and not (path / CONFIG).exists():
            return  # a first copy that has not come so far
        reader = open_at(path)
        listed = {info.backup_name: info.id for info in reader.snapshots()}
        assert self.kept <= {name.removesuffix(REPAIRED) for name in listed}
        assert not self.gone & listed.keys()
        if not self.sound:
            return
        report = reader.check(read_data=True)
        used = {entry.key_id.hex() for part in reader.session.segments() for entry in part.entries}
        for finding in report.findings:
            # The key of a run that died before it had written anything else.
            assert finding.object[:5] == "keys/", finding
            assert finding.object[5:] not in used, finding
            assert not finding.affects, finding
        for name, snapshot_id in listed.items():
            found, whole = restore(reader, snapshot_id), self.contents[name.removesuffix(REPAIRED)]
            assert found == whole or (name.endswith(REPAIRED) and found.items() < whole.items())


def tidy(path: Path) -> None:
    """Clear up for good; fail when anything is left that nothing needs."""
    reader = open_at(path)
    session = reader.session
    for _ in range(2):
        reader.prune(LAST)
    assert not session.directory.leftovers()
    listed = {entry.pack_id: entry for part in session.segments() for entry in part.entries}
    assert session.present() == listed.keys()
    assert session.key_ids() == {entry.key_id for entry in listed.values()}


def noise(size: int, seed: object) -> bytes:
    """Bytes that do not compress."""
    return random.Random(str(seed)).randbytes(size)


def run_of(name: str) -> UUID:
    """The run that makes the backup with this name."""
    return uuid5(NAMESPACE_OID, name)


def create_at(path: Path, config: bytes) -> None:
    """A new repository without a backup."""
    directory = LocalDirectory(path)
    directory.prepare()
    directory.write(CONFIG, config, owner="create")


def fresh(path: Path) -> Path:
    """This folder, not there any more."""
    shutil.rmtree(path, ignore_errors=True)
    return path
