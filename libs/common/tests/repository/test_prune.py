"""Prune gives space back, and never takes what a backup needs or is about to need."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from common.errors import Conflict, Corrupt
from common.repository.entry import Entry, EntryType
from common.repository.history import SnapshotInfo
from common.repository.index import catalog
from common.repository.lock import exclusive
from common.repository.prepared import SnapshotMeta
from common.repository.pruning.prune import Pruner, PruneReport, PruneSettings
from common.repository.reading.fetch import Fetcher
from common.storage.local import LocalDirectory
from common.storage.store import ObjectInfo
from vault import Vault, add_files, noise

NOW = PruneSettings(grace=timedelta(0))
pytestmark = pytest.mark.usefixtures("small_packs")

META = SnapshotMeta("b", "b", "running")
A = {b"a": noise(300_000, 1), b"same": noise(100_000, 2)}
B = {b"b": noise(300_000, 3), b"same": noise(100_000, 2)}


@pytest.fixture(autouse=True)
def large_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index as large repositories have it."""
    monkeypatch.setattr(catalog, "FEW", 0)


@pytest.fixture
def left(vault: Vault) -> SnapshotInfo:
    """A backup that stays when another, which shared a file with it, was deleted."""
    gone, stays = vault.backup(A, "gone"), vault.backup(B, "stays")
    vault.reader().forget(gone.id, "")
    return stays


def size(vault: Vault) -> int:
    return sum(info.size for info in vault.directory.list("packs/"))


def sound(vault: Vault) -> bool:
    report = vault.reader().check(read_data=True)
    assert report.ok, report.findings
    return True


def test_space_comes_back_and_what_is_left_restores(vault: Vault, left: SnapshotInfo) -> None:
    """Else the disk fills up, or a deletion takes the data of other backups."""
    before = size(vault)
    report = vault.reader().prune(NOW)
    assert report.removed_bytes > 250_000
    assert size(vault) < before - 250_000
    assert vault.restore(left.id) == B
    assert sound(vault)
    again = vault.reader().prune(NOW)
    assert (again.removed_packs, again.retired_packs, again.rewritten_packs) == (0, 0, 0)
    assert vault.restore(vault.backup(A).id) == A


class Backwards(LocalDirectory):
    """Lists what comes last first: the names of segments are chance."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter([*super().list(prefix)][::-1])


@pytest.mark.parametrize("listing", [LocalDirectory, Backwards])
def test_of_two_copies_of_a_chunk_the_one_that_opens_is_kept(
    vault: Vault, listing: type[LocalDirectory]
) -> None:
    """Lost: a backup that was taken because a key was gone, in favour of what nobody can open."""
    vault.backup(A)
    vault.directory.delete_all(vault.names("keys/"))
    after = vault.backup(A)
    for _ in range(2):
        reader = vault.reader()
        reader.session.source = listing(vault.path)
        reader.prune(NOW)
    assert vault.restore(after.id) == A
    assert sound(vault)


def test_everything_goes_when_nothing_is_left(vault: Vault, left: SnapshotInfo) -> None:
    """Else deleted backups keep costing."""
    vault.reader().forget(left.id, "")
    vault.reader().prune(NOW)
    assert vault.names("packs/") == vault.names("index/") == vault.names("keys/") == []


def test_nothing_is_removed_within_the_grace_period(vault: Vault, left: SnapshotInfo) -> None:
    """Else a backup or restore that has just begun loses its data under it."""
    before = set(vault.names("packs/"))
    report = vault.reader().prune()
    assert report.retired_packs
    assert before <= set(vault.names("packs/"))
    assert sound(vault)
    vault.reader().prune(PruneSettings(grace=timedelta(hours=1)))
    assert before <= set(vault.names("packs/"))
    vault.reader().prune(NOW)
    assert not before <= set(vault.names("packs/"))
    assert vault.restore(left.id) == B


def test_a_retired_pack_that_is_needed_again_comes_back(vault: Vault, left: SnapshotInfo) -> None:
    """Else a backup that used a pack while it was retired loses it."""
    with vault.writer().begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            add_files(sink, A)  # relies on packs that only the deleted backup had
        assert vault.reader().prune().retired_packs
        info = run.finish(META).commit(1, None)
    assert info.statistics.added < 20_000
    vault.reader().prune(NOW)
    assert vault.restore(info.id) == A
    assert vault.restore(left.id) == B
    assert sound(vault)


def test_a_running_backup_holds_prune_back(vault: Vault, left: SnapshotInfo) -> None:
    """Else a backup refers to data that was removed while it ran."""
    with vault.writer().begin(uuid4()) as run:
        report = vault.reader().prune(NOW)
        assert report.waiting_for_runs
        assert not report.removed_packs
        with run.component("files", "files") as sink:
            add_files(sink, A)
        info = run.finish(META).commit(1, None)
    assert info.statistics.added < 20_000
    assert vault.restore(info.id) == A
    vault.reader().prune(NOW)
    assert vault.restore(info.id) == A
    assert vault.restore(left.id) == B
    assert sound(vault)


def test_packs_of_a_running_backup_stay(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else prune removes the work of a backup that has not listed it yet."""
    with vault.writer().begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            add_files(sink, A)
        run._stores.contents.finish()
        assert vault.names("packs/")
        vault.reader().prune(NOW)
        info = run.finish(META).commit(1, None)
    assert vault.restore(info.id) == A
    assert sound(vault)


def test_a_run_that_outlived_its_protection_fails_rather_than_lies(vault: Vault) -> None:
    """Else a backup is listed whose data a prune took for that of a dead run."""
    gone = vault.backup(A)
    with vault.writer().begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            add_files(sink, A)
        vault.reader().forget(gone.id, "")
        vault.reader().prune(PruneSettings(grace=timedelta(0), dead_after=timedelta(0)))
        with pytest.raises(Conflict):
            run.finish(META)
    assert sound(vault)


def test_what_dead_runs_left_is_removed_in_time(vault: Vault) -> None:
    """Else every killed backup costs space for ever."""
    writer = vault.writer()
    run = writer.begin(uuid4())
    with run.component("files", "files") as sink:
        sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(noise(500_000)))
    run._stores.contents.finish()
    run._stores.close()
    assert vault.names("packs/")
    vault.reader().prune(NOW)
    assert vault.names("packs/")
    vault.reader().prune(PruneSettings(timedelta(0), timedelta(0)))
    assert vault.names() == ["config"]


def test_an_abandoned_run_does_not_hold_prune_back(vault: Vault, left: SnapshotInfo) -> None:
    """Else after each killed worker no space comes back for a week."""
    run = vault.writer().begin(uuid4())
    with run.component("files", "files") as sink:
        add_files(sink, {b"x": noise(200_000, 9)})
    run._stores.contents.finish()
    run._stores.segments.flush()
    run._stores.close()
    assert vault.reader().prune(NOW).waiting_for_runs
    vault.writer().abandon(run._run_id)
    assert not vault.reader().prune(NOW).waiting_for_runs
    assert vault.restore(left.id) == B
    assert sound(vault)


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("after", range(0, 40, 2))
def test_prune_killed_anywhere_loses_nothing(
    vault: Vault, left: SnapshotInfo, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Else a power cut during a clean-up costs a backup."""
    steps = [after]

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **options: object) -> object:
            if not steps[0]:
                raise Killed
            steps[0] -= 1
            return method(*args, **options)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dying(Path.unlink))
        patch.setattr(LocalDirectory, "write", dying(LocalDirectory.write))
        try:
            vault.reader().prune(NOW)
        except Killed:
            pass
        else:
            assert after > 10
    assert vault.restore(left.id) == B
    assert sound(vault)
    again = vault.backup(A, chain="again")
    vault.reader().prune(PruneSettings(timedelta(0), timedelta(0)))
    assert vault.restore(left.id) == B
    assert vault.restore(again.id) == A
    assert sound(vault)


def test_little_waste_is_left_where_it_is(vault: Vault) -> None:
    """Else every prune rewrites the repository."""
    keep = {b"%d" % number: noise(4000, number) for number in range(200)}
    gone = vault.backup({**keep, b"extra": noise(4000, 999)})
    vault.backup(keep)
    vault.reader().forget(gone.id, "")
    assert vault.reader().prune(NOW).rewritten_packs <= 1


def test_prune_refuses_to_judge_what_it_cannot_read(vault: Vault, left: SnapshotInfo) -> None:
    """Else damage in one tree makes prune remove what that tree needs."""
    before = vault.names("packs/")
    with vault.hurt(before[0]) as data:
        data[60:] = bytes(len(data) - 60)
    for name in before[1:]:
        with vault.hurt(name) as data:
            data[60:] = bytes(len(data) - 60)
    with pytest.raises(Corrupt):
        vault.reader().prune(NOW)
    assert vault.names("packs/") == before


def test_a_backup_that_ends_while_prune_looks_around(
    vault: Vault, left: SnapshotInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every prune that meets a backup fails, and says that a sound repository is damaged."""
    load = Pruner._fetcher
    made: list[SnapshotInfo] = []

    def late(pruner: Pruner) -> Fetcher:
        fetcher = load(pruner)
        made.append(vault.backup({b"c": noise(200_000, len(made))}, chain="late"))
        return fetcher

    monkeypatch.setattr(Pruner, "_fetcher", late)
    vault.reader().prune(NOW)
    assert made
    for number, info in enumerate(made):
        assert vault.restore(info.id) == {b"c": noise(200_000, number)}
    assert vault.restore(left.id) == B
    assert sound(vault)


def test_two_prunes_exclude_each_other(vault: Vault) -> None:
    """Else each removes what the other has just written."""
    with exclusive(vault.path), pytest.raises(Conflict), exclusive(vault.path, wait=0.1):
        pass


def test_prune_reports_what_it_did(vault: Vault, left: SnapshotInfo) -> None:
    """Else nobody knows why the disk is still full."""
    report: PruneReport = vault.reader().prune()
    assert report.retired_bytes
    assert not report.removed_bytes
