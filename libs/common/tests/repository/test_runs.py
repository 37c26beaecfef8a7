"""Runs that end well, badly, or not at all."""

from io import BytesIO
from uuid import UUID, uuid4

import pytest

from common.errors import Cancelled, Conflict, NoSpace
from common.repository.entry import Entry, EntryType
from common.repository.history import SnapshotInfo
from common.repository.prepared import SnapshotMeta
from common.repository.run import ComponentRecorder
from common.repository.writing import packing, storing
from common.storage.draft import Draft
from common.storage.store import ObjectInfo
from vault import Vault, noise

META = SnapshotMeta("backup-1", "nightly", "main/manual")


class Killed(BaseException):
    """Stands for SIGKILL: nothing is cleaned up after it."""


@pytest.fixture
def listed_at_once(small_packs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pack is listed at once, so that a small run has many of both."""
    monkeypatch.setattr(packing, "SEGMENT_SIZE", 1)
    monkeypatch.setattr(packing, "_COMMITS_AT_ONCE", 0)


def back_up(vault: Vault, run_id: UUID, content: bytes) -> SnapshotInfo:
    return vault.write(
        lambda sink: sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(content)), run_id=run_id
    )


def killed_run(
    vault: Vault, run_id: UUID, content: bytes, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """A run that dies when it is about to make object number ``after`` durable."""
    commit, left = Draft.commit, [after]

    def dying(draft: Draft, name: str) -> ObjectInfo:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return commit(draft, name)

    with monkeypatch.context() as patch:
        patch.setattr(Draft, "commit", dying)
        patch.setattr(Draft, "abort", lambda _: None)
        patch.setattr("common.repository.run.Run._abort", lambda self: None)
        with pytest.raises(Killed):
            back_up(vault, run_id, content)


@pytest.mark.parametrize("after", range(0, 24, 3))
def test_a_run_killed_anywhere_leaves_a_sound_repository(
    vault: Vault, listed_at_once: None, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Else an interrupted backup is listed, or spoils the ones before it."""
    before = vault.backup({b"a": noise(50_000, 1)}, chain="other")
    run_id, content = uuid4(), noise(1_000_000)
    killed_run(vault, run_id, content, monkeypatch, after)

    assert [info.id for info in vault.reader().snapshots()] == [before.id]
    assert vault.writer().find_run(run_id) is None
    assert vault.reader().check(read_data=True).ok

    vault.writer().abandon(run_id)
    assert not vault.directory.leftovers()
    assert vault.reader().check(read_data=True).ok
    again = back_up(vault, run_id, content)
    assert vault.restore(again.id) == {b"x": content}
    assert vault.restore(before.id) == {b"a": noise(50_000, 1)}
    report = vault.reader().check(read_data=True)
    assert report.ok, report.findings


def test_a_takeover_goes_on_from_what_was_listed(
    vault: Vault, listed_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a large backup that dies once a day never ends."""
    run_id, content = uuid4(), noise(2_000_000)
    killed_run(vault, run_id, content, monkeypatch, 40)
    vault.writer().abandon(run_id)
    again = back_up(vault, run_id, content)
    assert again.statistics.added < 1_300_000
    assert vault.restore(again.id) == {b"x": content}


def test_abandon_leaves_other_runs_alone(vault: Vault, listed_at_once: None) -> None:
    """Else clearing up after one worker destroys the work of another."""
    writer = vault.writer()
    with writer.begin(uuid4()) as run, run.component("files", "files") as sink:
        sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(noise(500_000)))
        before = vault.names()
        vault.writer().abandon(uuid4())
        assert vault.names() == before


def test_a_run_that_is_left_early_leaves_no_packs(vault: Vault) -> None:
    """Else every cancelled backup costs space until the next prune."""

    def fill(sink: ComponentRecorder) -> None:
        sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(noise(500_000)))
        raise Cancelled

    with pytest.raises(Cancelled):
        vault.write(fill)
    assert vault.names() == ["config"]
    assert not vault.directory.leftovers()


def test_a_run_makes_one_backup(vault: Vault) -> None:
    """Else a command delivered twice makes two backups."""
    run_id = uuid4()
    info = vault.write(lambda sink: None, run_id=run_id)
    found = vault.writer().find_run(run_id)
    assert found is not None
    assert found.id == info.id
    with pytest.raises(Conflict):
        vault.writer().begin(run_id)


def test_a_finished_run_is_committed_later_or_never(vault: Vault) -> None:
    """Else the worker cannot put its database and the repository into one order."""
    writer = vault.writer()
    with writer.begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(b"content"))
        prepared = run.finish(META)
    assert writer.snapshots() == []
    assert prepared.commit(1, None).counter == 1
    assert writer.head(META.chain).counter == 1


def test_a_place_in_a_chain_is_taken_once(vault: Vault) -> None:
    """Else two workers that each believe to own a chain fork it."""
    first = vault.backup({})
    with vault.writer().begin(uuid4()) as run:
        prepared = run.finish(META)
        with pytest.raises(Conflict):
            prepared.commit(1, None)
        prepared.commit(2, first.id)


def test_a_full_disk_is_said_and_leaves_nothing_listed(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a backup that did not fit counts as one."""
    vault.backup({b"a": b"before"})
    write = Draft.write

    def full(draft: Draft, data: bytes) -> None:
        if draft.size > 100_000:
            raise NoSpace
        write(draft, data)

    with monkeypatch.context() as patch:
        patch.setattr(Draft, "write", full)
        with pytest.raises(NoSpace):
            vault.backup({b"b": noise(3_000_000)})
    assert not vault.directory.leftovers()
    assert len(vault.reader().snapshots()) == 1
    assert vault.reader().check(read_data=True).ok


def test_progress_is_told_and_can_stop_a_run(vault: Vault) -> None:
    """Else nobody sees how far a backup is, or a cancelled one runs to its end."""
    told: list[tuple[object, ...]] = []

    def listen(*progress: object, **_: object) -> None:
        told.append(progress)
        if len(told) == 3:
            raise Cancelled

    def back_up_nothing() -> None:
        with vault.writer().begin(uuid4(), on_progress=listen) as run:
            with run.component("files", "files"):
                pass
            run.finish(META)

    with pytest.raises(Cancelled):
        back_up_nothing()
    assert [progress[0] for progress in told] == ["begin", "files", "finish"]
    assert vault.names() == ["config"]


def test_a_damaged_index_costs_deduplication_and_no_backup(vault: Vault) -> None:
    """Else one rotten object stops every backup until somebody has looked."""
    content = noise(100_000)
    first = vault.backup({b"x": content})
    (segment,) = vault.names("index/")
    with vault.hurt(segment) as data:
        data[100] ^= 1
    again = vault.backup({b"x": content})
    assert again.statistics.added > len(content)
    assert segment in again.warnings["files"][0]
    assert vault.restore(again.id) == vault.restore(first.id) == {b"x": content}


def test_packs_of_the_index_that_are_gone_are_not_relied_on(vault: Vault) -> None:
    """Else a lost pack spoils every later backup too."""
    content = {b"a": noise(100_000)}
    vault.backup(content)
    for name in vault.names("packs/"):
        vault.directory.delete(name)
    info = vault.backup(content)
    assert vault.restore(info.id) == content


def test_a_run_that_was_abandoned_in_the_middle_of_a_pack_says_so(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a disk is searched for a fault, for a file that whoever took over has removed."""
    monkeypatch.setattr(storing, "BUNDLE_SIZE", 20_000)
    run_id = uuid4()
    with vault.writer().begin(run_id) as run:
        with run.component("files", "files") as sink:
            sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(noise(1_000_000)))
        assert vault.directory.leftovers(run_id.hex)
        vault.writer().abandon(run_id)
        with pytest.raises(Conflict, match="dead"):
            run.finish(META)
    assert vault.names() == ["config"]


@pytest.mark.parametrize("listed", [False, True])
def test_a_run_that_was_abandoned_and_wakes_up_cannot_go_on(vault: Vault, listed: bool) -> None:
    """Else it lists packs whose key is gone, and later backups deduplicate against them."""
    run_id, content = uuid4(), noise(300_000)
    with vault.writer().begin(run_id) as run:
        with run.component("files", "files") as sink:
            sink.add_stream(Entry(b"x", EntryType.FILE), BytesIO(content))
            if listed:
                run._stores.contents.finish()
                run._stores.segments.flush()
            vault.writer().abandon(run_id)
            sink.add_stream(Entry(b"y", EntryType.FILE), BytesIO(noise(300_000, 1)))
        with pytest.raises(Conflict, match="dead"):
            run.finish(META)
    info = vault.backup({b"x": content, b"y": noise(300_000, 1)})
    assert (info.statistics.added < 310_000) == listed
    assert vault.restore(info.id)[b"x"] == content
    assert vault.reader().check(read_data=True).ok


def test_packs_without_their_key_are_not_relied_on(vault: Vault) -> None:
    """Else one lost key spoils every later backup too."""
    content = {b"a": noise(100_000)}
    vault.backup(content)
    for name in vault.names("keys/"):
        vault.directory.delete(name)
    info = vault.backup(content)
    assert vault.restore(info.id) == content
