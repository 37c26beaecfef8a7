"""Changing keys: at every moment of it all backups open, and afterwards the old keys do not."""

import subprocess
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from common.crypto.keys import KeyProvider, PassphraseProvider
from common.errors import Conflict, Corrupt, Invalid, WrongKey
from common.repository.format.config import RepositoryConfig
from common.repository.lock import linking
from common.repository.opening import create, open_reader
from common.repository.prepared import SnapshotMeta
from common.repository.pruning.prune import PruneSettings
from common.repository.rekeying.rotation import change_encryption_key, rotate
from common.repository.rekeying.unlocked import Unlocked, provider_of
from common.storage.local import LocalDirectory
from mortal import Mortal, dies
from past import FILES, reader, restores
from vault import KEY, Vault, add_files

NEW_KEY = "another key"
SECOND_READER = Path(__file__).parents[4] / "docs" / "second_reader.py"


@pytest.fixture(scope="module")
def new_provider() -> KeyProvider:
    return PassphraseProvider(NEW_KEY, iterations=100_000)


def test_after_a_rotation_the_new_pair_opens_all_and_the_old_one_nothing(
    vault: Vault, provider: KeyProvider, ids: list[str]
) -> None:
    """Lost: the point of a rotation, or every backup made before it."""
    done = rotate(vault.directory, provider)
    assert (done.rewrapped, done.resumed, done.generation) == (3, False, 3)
    assert restores(reader(vault, provider), ids)
    state = Unlocked.open(vault.directory, provider)
    assert state.private != vault.private
    assert not state.config.former
    for wrapped in vault.session().wrapped_keys():
        assert wrapped.generation == 2
        with pytest.raises(Corrupt):
            wrapped.unwrap(vault.private, vault.private.public.recipient)
        for sealed in wrapped.wrapped.values():
            with pytest.raises(Corrupt):
                vault.private.unwrap(sealed, b"")
    with pytest.raises(Corrupt):
        vault.restore(ids[0])


@pytest.mark.parametrize("needed", [False, True])
def test_what_a_destination_kept_from_before_a_rotation_is_no_damage_unless_it_is_needed(
    vault: Vault, provider: KeyProvider, ids: list[str], *, needed: bool
) -> None:
    """Lost: trust in the checks of every copy; or a key that a backup needs, unseen."""
    kept = {name: vault.directory.read(name) for name in vault.names()}
    if not needed:
        reader(vault, provider).forget(ids[0], "")
        for _ in range(2):
            reader(vault, provider).prune(PruneSettings(grace=timedelta(0)))
    gone = kept.keys() - set(vault.names())
    rotate(vault.directory, provider)
    (name,) = [each for each in gone if each.startswith("keys/")] or vault.names("keys/")[:1]
    for each in {*gone, name}:
        vault.directory.delete(each)
        vault.directory.write(each, kept[each], owner="uploader")
    findings = reader(vault, provider).check(read_data=True).findings
    assert [(each.object, bool(each.affects)) for each in findings] == [(name, True)] * needed


def test_keys_are_not_changed_while_a_snapshot_is_written(
    vault: Vault, provider: KeyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a chain with one end. Its lock is on ``config``; who locks the next one waits for
    nobody.
    """
    impatient = SimpleNamespace(monotonic=count(step=60).__next__, sleep=lambda _: None)
    monkeypatch.setattr("common.repository.lock.time", impatient)
    with linking(vault.path):
        with pytest.raises(Conflict):
            rotate(vault.directory, provider)
        with pytest.raises(Conflict), linking(vault.path):
            raise AssertionError
    assert rotate(vault.directory, provider).generation == 3


def test_who_was_taken_for_dead_stays_so_after_a_rotation(
    vault: Vault, provider: KeyProvider
) -> None:
    """Lost: a backup that two attempts make at once, when the first one was only asleep."""
    run_id = uuid4()
    with vault.writer().begin(run_id) as run:
        with run.component("files", "files") as sink:
            add_files(sink, FILES[0])
        run._stores.contents.finish()
        run._stores.segments.flush()
        vault.writer().abandon(run_id)
        rotate(vault.directory, provider)
        with pytest.raises(Conflict, match="dead"):
            run.finish(SnapshotMeta(uuid4().hex, "asleep", "main"))


@pytest.mark.parametrize("lives", range(6))
def test_a_rotation_killed_anywhere_leaves_all_readable_and_goes_on(
    vault: Vault, provider: KeyProvider, ids: list[str], lives: int
) -> None:
    """Lost: every backup whose run key was wrapped to a key that no config holds."""
    assert dies(lambda: rotate(Mortal(vault.path, lives), provider)) == (lives < 5)
    assert restores(reader(vault, provider), ids)
    new = vault.writer().begin(uuid4())
    with new, new.component("files", "files") as sink:
        add_files(sink, {})
    rotate(vault.directory, provider)
    assert restores(reader(vault, provider), ids)
    for wrapped in vault.session().wrapped_keys():
        assert vault.private.public.recipient not in wrapped.wrapped


def test_the_document_alone_reads_in_the_middle_of_a_rotation(
    vault: Vault, provider: KeyProvider, ids: list[str], tmp_path: Path
) -> None:
    """Lost: the last resort, should a rotation stay where it died."""
    assert dies(lambda: rotate(Mortal(vault.path, 2), provider))
    (tmp_path / "out").mkdir()
    subprocess.run(
        [sys.executable, SECOND_READER, vault.path, tmp_path / "out", ids[0]],
        env={"BACKUP_ENCRYPTION_KEY": KEY},
        check=True,
        timeout=60,
    )
    assert (tmp_path / "out" / "files" / "a").read_bytes() == FILES[0][b"a"]


def test_a_run_that_began_before_a_rotation_ends_after_it(
    vault: Vault, provider: KeyProvider
) -> None:
    """Lost: a backup sealed under a run key that nobody can unwrap any more."""
    early, late = vault.writer(), vault.writer()
    with early.begin(uuid4()) as run:
        rotate(vault.directory, provider)
        with run.component("files", "files") as sink:
            add_files(sink, FILES[0])
        first = run.finish(SnapshotMeta("b", "b", "early")).commit(1, None)
    with late.begin(uuid4()) as run:  # its config is that of before
        with run.component("files", "files") as sink:
            add_files(sink, FILES[1])
        second = run.finish(SnapshotMeta("b", "b", "late")).commit(1, None)
    opened = reader(vault, provider)
    assert opened.check(read_data=True).ok
    assert {each.id for each in opened.snapshots()} == {first.id, second.id}


def test_a_restore_that_is_going_on_survives_a_rotation(
    vault: Vault, provider: KeyProvider, ids: list[str]
) -> None:
    """Lost: a restore of many hours, to a rotation that nobody thought of."""
    opened = open_reader(vault.path, KEY)
    source = opened.snapshot(ids[0]).source("files")
    rotate(vault.directory, provider)
    assert [b"".join(source.stream(e)) for e in source.entries() if e.path] == [FILES[0][b"a"]]


def test_a_damaged_run_key_keeps_the_former_pair(
    vault: Vault, provider: KeyProvider, ids: list[str]
) -> None:
    """Lost: the good copy of that run key at a destination, which only the former pair opens."""
    name = vault.names("keys/")[0]
    good = (vault.path / name).read_bytes()
    with vault.hurt(name) as data:
        data[40] ^= 1
    with pytest.raises(Corrupt, match=name):
        rotate(vault.directory, provider)
    vault.directory.delete(name)
    with pytest.raises(Corrupt, match="missing"):
        rotate(vault.directory, provider)
    (vault.path / name).write_bytes(good)
    assert restores(reader(vault, provider), ids)
    assert rotate(vault.directory, provider).resumed
    assert restores(reader(vault, provider), ids)


def test_an_old_config_put_back_after_a_rotation_is_seen(
    vault: Vault, provider: KeyProvider, ids: list[str]
) -> None:
    """Lost: a rotation, undone unseen by whoever has the storage and the old key."""
    old = vault.directory.read("config")
    rotate(vault.directory, provider)
    (vault.path / "config").write_bytes(old)
    findings = vault.reader().check(read_data=False).findings
    assert ("config", "rolled back") in {(each.object, each.kind) for each in findings}


def test_a_rotation_during_a_check_is_no_old_config(
    vault: Vault, ids: list[str], provider: KeyProvider
) -> None:
    """Lost: a night to an attack that was none."""
    opened = open_reader(vault.path, KEY)
    rotate(vault.directory, provider)
    vault.backup({b"new": b"1"})
    report = opened.check(read_data=False)
    assert report.ok, report.findings


@pytest.mark.parametrize("lives", range(3))
def test_the_encryption_key_changes_in_one_step(
    vault: Vault, provider: KeyProvider, new_provider: KeyProvider, ids: list[str], lives: int
) -> None:
    """Lost: the repository, between an old key that opens no more and a new one not yet."""
    assert dies(lambda: rotate(Mortal(vault.path, 2), provider))  # a rotation is left open
    mortal = Mortal(vault.path, lives)
    killed = dies(lambda: change_encryption_key(mortal, provider, new_provider))
    assert killed == (lives < 1)
    valid, refused = (provider, new_provider) if killed else (new_provider, provider)
    assert restores(reader(vault, valid), ids)
    with pytest.raises(WrongKey):
        Unlocked.open(vault.directory, refused)
    rotate(vault.directory, valid)
    assert restores(reader(vault, valid), ids)
    assert vault.writer().snapshots()  # the writer key is the same


def test_doors_follow_a_change_of_the_encryption_key(vault: Vault, ids: list[str]) -> None:
    """Lost: trust that the key that leaked opens nothing here any more."""
    provider = provider_of(vault.directory, KEY)
    change_encryption_key(vault.directory, provider, PassphraseProvider(NEW_KEY))
    assert restores(open_reader(vault.path, NEW_KEY), ids)
    with pytest.raises(WrongKey):
        open_reader(vault.path, KEY)


def test_keys_that_everyone_has_are_not_changed(tmp_path: Path) -> None:
    """Lost: the truth about a repository without encryption."""
    create(tmp_path, RepositoryConfig.create(None))
    with pytest.raises(Invalid):
        provider_of(LocalDirectory(tmp_path), None)
