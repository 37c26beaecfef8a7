"""Copies: whole, verified, gone on with after a kill, and under other keys where that is asked."""

import io
import os
import subprocess
from pathlib import Path

import pytest

from common.crypto.keys import PassphraseProvider
from common.errors import Conflict
from common.repository.copying.backups import copy_backups
from common.repository.copying.objects import copy_objects, is_same_repository, select
from common.repository.entry import Entry, EntryType
from common.repository.format.config import RepositoryConfig
from common.repository.rekeying.rotation import rotate
from common.repository.run import ComponentRecorder
from common.storage.local import LocalDirectory
from mortal import Killed, Mortal
from past import FIRST, SECOND, Two
from vault import KEY, SMALL, Keys, Vault, noise


@pytest.fixture
def target(tmp_path: Path) -> LocalDirectory:
    return LocalDirectory(tmp_path / "target")


def is_whole(path: Path, keys: Keys, two: Two) -> bool:
    copy = Vault(path, *keys)
    report = copy.reader().check(read_data=True)
    assert report.ok, report.findings
    assert [copy.restore(info.id) for info in two] == [FIRST, SECOND]
    return True


def test_what_is_copied_is_durable_where_it_comes_from(
    vault: Vault, two: Two, target: LocalDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the chain of a copy, which goes on without what a cut took from its source."""
    settled: list[list[str]] = []
    settle = LocalDirectory.settle

    def note(directory: LocalDirectory, *folders: str) -> None:
        settle(directory, *folders)
        if directory.path == vault.path and "snapshots" in folders:
            settled.append([info.name for info in target.list("snapshots/")])

    monkeypatch.setattr(LocalDirectory, "settle", note)
    copy_objects(vault.session(), target)
    assert settled == [[]]
    assert len(list(target.list("snapshots/"))) == len(two)


def test_a_copy_has_everything_and_the_second_one_only_what_is_new(
    vault: Vault, two: Two, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: the second disk, on the day that it is the only one."""
    assert is_same_repository(vault.session(), target)
    report = copy_objects(vault.session(), target)
    assert (report.copied, report.failed) == (len(vault.names()), {})
    assert is_whole(target.path, keys, two)
    again = copy_objects(vault.session(), target)
    assert (again.copied, again.present) == (0, report.copied)
    vault.backup({b"c": b"1"})
    assert 0 < copy_objects(vault.session(), target).copied < 6


@pytest.mark.parametrize("lives", range(0, 22, 3))
def test_a_copy_killed_anywhere_lists_only_what_is_whole_and_goes_on(
    vault: Vault, two: Two, target: LocalDirectory, keys: Keys, lives: int
) -> None:
    """Lost: trust in a copy whose cable was pulled."""
    with pytest.raises(Killed):
        copy_objects(vault.session(), Mortal(target.path, min(lives, len(vault.names()) - 1)))
    if target.exists("config"):
        report = Vault(target.path, *keys).reader().check(read_data=True)
        assert report.ok, report.findings
    assert is_same_repository(vault.session(), target)
    copy_objects(vault.session(), target)
    assert is_whole(target.path, keys, two)


def test_a_torn_object_of_the_copy_is_replaced_and_a_damaged_one_here_not_copied(
    vault: Vault, two: Two, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: the good object in the copy, to rot in the original."""
    copy_objects(vault.session(), target)
    torn, rotten = vault.names("packs/")[:2]
    (target.path / torn).write_bytes(b"")
    with vault.hurt(rotten) as data:
        data[70] ^= 1
    assert not copy_objects(vault.session(), target).failed  # it is there, and good
    assert is_whole(target.path, keys, two)
    target.delete(rotten)
    assert list(copy_objects(vault.session(), target).failed) == [rotten]
    assert not target.exists(rotten)


@pytest.mark.parametrize("folder", ["packs/", "keys/"])
@pytest.mark.parametrize("chosen", [False, True])
def test_what_is_missing_here_is_told_unless_the_copy_has_it(
    vault: Vault, two: Two, target: LocalDirectory, folder: str, *, chosen: bool
) -> None:
    """Lost: the day on which the good copy was still to be had somewhere."""
    only = select(vault.reader(), two) if chosen else None
    name = vault.names(folder)[0]
    data = vault.directory.read(name)
    vault.directory.delete(name)
    assert list(copy_objects(vault.session(), target, only=only).failed) == [name]
    target.write(name, data, owner="test")
    assert not copy_objects(vault.session(), target, only=only).failed


def test_another_repository_is_not_written_over(
    vault: Vault, two: Two, target: LocalDirectory
) -> None:
    """Lost: the repository in the folder that was named by mistake."""
    config = RepositoryConfig.create(None)
    target.prepare()
    target.write("config", config, owner="test")
    assert not is_same_repository(vault.session(), target)
    with pytest.raises(Conflict):
        copy_objects(vault.session(), target)
    assert target.read("config") == config
    target.delete("config")
    target.write("letter.txt", b"dear reader", owner="test")
    assert not is_same_repository(vault.session(), target)


def test_changed_keys_are_copied_and_never_undone(
    vault: Vault, two: Two, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: the copy, left with run keys for one pair and a config with another."""
    provider = PassphraseProvider.found(KEY, vault.session().config.sealing)
    copy_objects(vault.session(), target)
    rotate(vault.directory, provider)
    assert copy_objects(vault.session(), target).copied == 3
    assert target.read("config") == vault.directory.read("config")
    old = Vault(target.path.parent / "old", *keys)
    for name in ("packs", "index", "keys", "snapshots"):
        subprocess.run(["cp", "-r", target.path / name, old.path], check=True)
    with pytest.raises(Conflict):
        copy_objects(old.session(), target)


def test_chosen_backups_come_with_what_they_need(
    vault: Vault, two: Two, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: carrying one backup away without all of them."""
    _, second = two
    chosen = select(vault.reader(), [second])
    report = copy_objects(vault.session(), target, only=chosen)
    assert not report.failed
    copy = Vault(target.path, *keys)
    assert copy.restore(second.id) == SECOND
    assert [info.id for info in copy.reader().snapshots()] == [second.id]
    size = sum(info.size for info in target.list("packs/"))
    assert size < sum(info.size for info in vault.directory.list("packs/"))
    copy_objects(vault.session(), target)
    assert is_whole(target.path, keys, two)


def test_chosen_backups_come_with_what_the_index_has_lost(
    vault: Vault, two: Two, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: carrying away what can be read, because what lists it cannot."""
    for name in vault.names("index/"):
        vault.directory.delete(name)
    copy_objects(vault.session(), target, only=select(vault.reader(), two[:1]))
    assert Vault(target.path, *keys).restore(two[0].id) == FIRST


@pytest.fixture
def stranger(tmp_path: Path, keys: Keys) -> Vault:
    """A repository with a writer key of its own."""
    writer_key = os.urandom(32)
    config = RepositoryConfig.create(KEY, writer_key=writer_key, chunker=SMALL)
    parsed = RepositoryConfig.parse(config)
    private, _ = parsed.open_private(PassphraseProvider.found(KEY, parsed.sealing))
    return Vault(tmp_path / "stranger", config, private, writer_key)


def test_backups_move_under_other_keys(vault: Vault, two: Two, stranger: Vault) -> None:
    """Lost: leaving a repository whose keys are known to too many."""
    done = copy_backups(vault.reader(), two, stranger.writer())
    assert [stranger.restore(info.id) for info in done.made] == [FIRST, SECOND]
    report = stranger.reader().check(read_data=True)
    assert report.ok, report.findings
    made = stranger.reader().snapshots()
    assert [(info.backup_name, info.backup_id, info.created) for info in made] == [
        (info.backup_name, info.backup_id, info.created) for info in two
    ]
    assert made[1].statistics.added < 200_000  # what both have is stored once
    again = copy_backups(vault.reader(), two, stranger.writer())
    assert (again.made, list(again.present)) == ([], list(two))
    stranger.reader().forget(made[0].id, "")
    assert not copy_backups(vault.reader(), two, stranger.writer()).made


def test_everything_about_an_entry_moves(vault: Vault, stranger: Vault) -> None:
    """Lost: links, owners, attributes and holes, on the way to another repository."""
    holes = ((4096, 4096), (2**30, 4096))
    kept = [
        Entry(b"", EntryType.DIRECTORY, mode=0o1777),
        Entry(b"fifo", EntryType.FIFO),
        Entry(b"link", EntryType.SYMLINK, target=b"/x"),
        Entry(b"n\xff", EntryType.FILE, uid=7, user="u", mtime_ns=-5, xattrs=((b"user.a", b"\0"),)),
        Entry(b"second", EntryType.HARDLINK, target=b"n\xff"),
    ]
    sparse = Entry(b"sparse", EntryType.FILE, size=2**31, extents=holes)
    empty = Entry(b"void", EntryType.FILE, size=2**31, extents=())

    def fill(sink: ComponentRecorder) -> None:
        for entry in [*kept, empty]:
            sink.add(entry)
        sink.add_regions(sparse, io.BytesIO(noise(8192)))
        sink.warn("something")

    info = vault.write(fill)
    (made,) = copy_backups(vault.reader(), [info], stranger.writer()).made
    source = stranger.reader().snapshot(made.id).source("files")
    found = {entry.path: entry for entry in source.entries()}
    for entry in [*kept, sparse, empty]:
        for name in Entry.__dataclass_fields__:
            assert getattr(found[entry.path], name) == getattr(entry, name)
    data = b"".join(source.data(found[b"sparse"]))
    assert data == noise(8192)
    assert source.warnings() == ["something"]
    assert source.details == {"made": "by a test"}


@pytest.mark.parametrize("lives", range(0, 12, 2))
def test_a_move_killed_anywhere_goes_on(
    vault: Vault, two: Two, stranger: Vault, lives: int
) -> None:
    """Lost: the work of a night, or a backup twice."""
    mortal = stranger.writer()
    mortal.session.source = Mortal(stranger.path, lives)
    with pytest.raises(Killed):
        copy_backups(vault.reader(), two, mortal)
    copy_backups(vault.reader(), two, stranger.writer())
    made = stranger.reader().snapshots()
    assert [stranger.restore(info.id) for info in made] == [FIRST, SECOND]
    assert stranger.reader().check(read_data=True).ok


def test_a_damaged_backup_is_left_out_and_told(vault: Vault, two: Two, stranger: Vault) -> None:
    """Lost: the sound backups, for the sake of a damaged one."""
    needed = select(vault.reader(), two[:1]).packs - select(vault.reader(), two[1:]).packs
    vault.directory.delete(min(needed))
    done = copy_backups(vault.reader(), two, stranger.writer())
    assert list(done.failed) == [two[0].id]
    assert [stranger.restore(info.id) for info in done.made] == [SECOND]
    assert stranger.reader().check(read_data=True).ok
