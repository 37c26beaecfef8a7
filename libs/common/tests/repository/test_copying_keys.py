"""A copy whose key pair and encryption key were both changed since: open at every moment."""

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from subprocess import run
from types import SimpleNamespace

import pytest

from common.crypto.keys import KeyProvider, PassphraseProvider
from common.errors import Conflict, WrongKey
from common.repository.copying.objects import copy_objects, select
from common.repository.lock import linking
from common.repository.pruning.prune import PruneSettings
from common.repository.reader import Reader
from common.repository.rekeying.rotation import change_encryption_key, rotate
from common.repository.rekeying.unlocked import Unlocked
from common.storage.local import LocalDirectory
from mortal import Killed, Mortal
from vault import KEY, Vault, noise

FILES = [{b"file": noise(9_000, number)} for number in range(4)]
SECOND_READER = Path(__file__).parents[4] / "docs" / "second_reader.py"
NEW = PassphraseProvider("another key", iterations=100_000)
NEWER = PassphraseProvider("a third key", iterations=100_000)
NO_GRACE = PruneSettings(grace=timedelta(0))


@pytest.fixture
def old(vault: Vault) -> KeyProvider:
    return PassphraseProvider.found(KEY, vault.session().config.sealing)


@pytest.fixture
def ids(vault: Vault) -> list[str]:
    """The backups that the copy has, in the order of ``FILES``."""
    return [vault.backup(files).id for files in FILES[:2]]


@pytest.fixture
def target(vault: Vault, ids: list[str], tmp_path: Path) -> LocalDirectory:
    target = LocalDirectory(tmp_path / "copy")
    copy_objects(vault.session(), target)
    return target


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a lock."""
    never = SimpleNamespace(monotonic=count(step=60).__next__, sleep=lambda _: None)
    monkeypatch.setattr("common.repository.lock.time", never)


def change_both(place: LocalDirectory, before: KeyProvider, after: KeyProvider = NEW) -> None:
    change_encryption_key(place, before, after)
    rotate(place, after)


def test_a_config_is_not_replaced_while_a_snapshot_is_written_there(
    vault: Vault, target: LocalDirectory, old: KeyProvider, impatient: None
) -> None:
    """Lost: a chain with one end, in a copy that is backed up into."""
    rotate(vault.directory, old)
    with linking(target.path), pytest.raises(Conflict):
        copy_objects(vault.session(), target)
    copy_objects(vault.session(), target)
    assert target.read("config") == vault.directory.read("config")


def opened(directory: LocalDirectory, *providers: KeyProvider) -> Reader:
    """By the first of these keys that opens it."""
    for provider in providers:
        try:
            state = Unlocked.open(directory, provider)
        except WrongKey:
            continue
        return Reader(state.session, state.private, former=state.former)
    pytest.fail("No key opens it.")


def restores(reader: Reader, ids: list[str]) -> bool:
    for snapshot_id, files in zip(ids, FILES, strict=False):
        source = reader.snapshot(snapshot_id).source("files")
        assert {e.path: b"".join(source.stream(e)) for e in source.entries() if e.path} == files
    return True


def is_sound(reader: Reader) -> bool:
    report = reader.check(read_data=True)
    assert report.ok, report.findings
    return True


def killed(vault: Vault, target: LocalDirectory, lives: int) -> bool:
    try:
        copy_objects(vault.session(), Mortal(target.path, lives))
    except Killed:
        return True
    return False


@pytest.mark.parametrize("resumed", [False, True])
def test_some_key_opens_all_of_a_copy_wherever_the_copying_stops(
    vault: Vault, old: KeyProvider, ids: list[str], target: LocalDirectory, *, resumed: bool
) -> None:
    """Lost: every backup of the copy, when the disk it is of dies before the copying has ended."""
    change_both(vault.directory, old)
    ids.append(vault.backup(FILES[2]).id)
    for lives in count():
        moment = target
        if not resumed:
            moment = LocalDirectory(target.path.parent / f"copy {lives}")
            run(["cp", "-r", target.path, moment.path], check=True)
        ended = not killed(vault, moment, 1 if resumed else lives)
        reader = opened(moment, *([NEW] if ended else [old, NEW]))
        assert restores(reader, ids if ended else ids[:2])
        assert is_sound(reader)
        if ended:
            break
    assert {info.name for info in moment.list()} == set(vault.names())
    for name in vault.names():
        assert moment.read(name) == vault.directory.read(name)


def test_keys_changed_again_before_the_copying_has_ended(
    vault: Vault, old: KeyProvider, ids: list[str], target: LocalDirectory
) -> None:
    """Lost: a copy between two changes of keys."""
    change_both(vault.directory, old)
    for lives in range(1, 5):
        moment = LocalDirectory(target.path.parent / f"copy {lives}")
        run(["cp", "-r", target.path, moment.path], check=True)
        assert killed(vault, moment, lives)
    change_both(vault.directory, NEW, NEWER)
    for lives in range(1, 5):
        moment = LocalDirectory(target.path.parent / f"copy {lives}")
        while killed(vault, moment, 1):
            assert restores(opened(moment, old, NEW, NEWER), ids)
        assert restores(opened(moment, NEWER), ids)
        assert moment.read("config") == vault.directory.read("config")


@pytest.mark.parametrize(("lives", "key"), [(2, KEY), (3, "another key")])
def test_the_document_alone_reads_a_copy_in_between(
    vault: Vault, old: KeyProvider, ids: list[str], target: LocalDirectory, lives: int, key: str
) -> None:
    """Lost: the last resort, should the copying never go on."""
    change_both(vault.directory, old)
    assert killed(vault, target, lives)
    out = target.path.parent / "out"
    out.mkdir()
    run(
        [sys.executable, SECOND_READER, target.path, out, ids[0]],
        env={"BACKUP_ENCRYPTION_KEY": key},
        check=True,
        timeout=60,
    )
    assert (out / "files" / "file").read_bytes() == FILES[0][b"file"]


def test_what_was_forgotten_and_pruned_here_does_not_hold_up_the_copying(
    vault: Vault, old: KeyProvider, ids: list[str], target: LocalDirectory
) -> None:
    """Lost: all further copies, for the sake of a backup that nobody wants."""
    reader = vault.reader()
    reader.forget(ids[0], "")
    reader.prune(NO_GRACE)
    change_both(vault.directory, old)
    copy_objects(vault.session(), target)
    copy = opened(target, NEW)
    assert [info.id for info in copy.snapshots()] == ids[1:]
    source = copy.snapshot(ids[1]).source("files")
    (entry,) = (each for each in source.entries() if each.path)
    assert b"".join(source.stream(entry)) == FILES[1][b"file"]


def test_backups_that_only_the_copy_has_keep_it_on_its_keys(
    vault: Vault, old: KeyProvider, ids: list[str], target: LocalDirectory
) -> None:
    """Lost: a backup that was made or kept in the copy alone."""
    here, vault.directory = vault.directory, target
    ids.append(vault.backup(FILES[2]).id)
    vault.directory = here
    change_both(vault.directory, old)
    with pytest.raises(Conflict):
        copy_objects(vault.session(), target)
    assert restores(opened(target, old), ids)


def test_an_archive_of_chosen_backups_keeps_its_keys_while_it_needs_them(
    vault: Vault, old: KeyProvider, ids: list[str], tmp_path: Path
) -> None:
    """Lost: what was carried away before it was deleted here."""
    reader = vault.reader()
    archive = LocalDirectory(tmp_path / "archive")
    infos = reader.snapshots()
    copy_objects(vault.session(), archive, only=select(reader, infos[:1]))
    change_both(vault.directory, old)
    reader = opened(vault.directory, NEW)
    copy_objects(vault.session(), archive, only=select(reader, infos[1:]))
    assert restores(opened(archive, NEW), ids)  # all are still here
    reader.forget(ids[0], "")
    reader.prune(NO_GRACE)
    change_both(vault.directory, NEW, NEWER)
    reader = opened(vault.directory, NEWER)
    with pytest.raises(Conflict):
        copy_objects(vault.session(), archive, only=select(reader, infos[1:]))
    assert restores(opened(archive, NEW), ids)


def test_a_run_key_that_is_lost_here_keeps_the_copy_on_its_keys(
    vault: Vault, old: KeyProvider, ids: list[str], target: LocalDirectory
) -> None:
    """Lost: the only good one, in the copy."""
    change_both(vault.directory, old)
    vault.directory.delete(vault.names("keys/")[0])
    with pytest.raises(Conflict):
        copy_objects(vault.session(), target)
    assert restores(opened(target, old), ids)


@pytest.fixture
def kept(vault: Vault, ids: list[str], target: LocalDirectory) -> list[str]:
    """The backups of the copy, the last of which it alone has."""
    here, vault.directory = vault.directory, target
    own = vault.backup(FILES[2], chain="main/copy")
    vault.directory = here
    return [*ids, own.id]


class Visited(LocalDirectory):
    """Something happens in it right after so many reads of what opens it."""

    def __init__(self, path: Path, after: int, happens: Callable[[], object]) -> None:
        super().__init__(path)
        self.left = after
        self._happens = happens

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        data = super().read(name, offset, length)
        if name == "config" or name.startswith("keys/"):
            self.left -= 1
            if self.left == 0:
                with suppress(Conflict):
                    self._happens()
        return data


def prune(directory: LocalDirectory, provider: KeyProvider) -> None:
    opened(directory, provider).prune(NO_GRACE)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("job", [rotate, prune])
def test_nothing_is_lost_to_what_happens_in_the_copy_meanwhile(
    vault: Vault,
    old: KeyProvider,
    target: LocalDirectory,
    kept: list[str],
    job: Callable[[LocalDirectory, KeyProvider], object],
) -> None:
    """Lost: the run keys wrapped to a pair that went with ``config``; what no index lists yet."""
    rotate(vault.directory, old)
    kept.append(vault.backup(FILES[3]).id)
    for after in count(1):
        place = LocalDirectory(target.path.parent / f"copy {after}")
        run(["cp", "-r", target.path, place.path], check=True)
        visited = Visited(place.path, after, partial(job, place, old))
        copy_objects(vault.session(), visited)
        assert restores(opened(place, old), kept)
        assert is_sound(opened(place, old))
        if visited.left > 0:
            break
    assert after > 5


def test_a_pair_that_only_the_copy_has_opens_what_it_opened(
    vault: Vault, old: KeyProvider, target: LocalDirectory, kept: list[str]
) -> None:
    """Lost: all of the copy, or what is there alone, where both changed keys as often."""
    rotate(vault.directory, old)
    rotate(target, old)
    copy_objects(vault.session(), target)
    assert restores(opened(target, old), kept)


def test_a_copy_with_keys_of_its_own_under_another_key_stays_as_it_is(
    vault: Vault, old: KeyProvider, target: LocalDirectory, kept: list[str]
) -> None:
    """Lost: what is there alone."""
    change_both(vault.directory, old)
    change_both(target, old, NEWER)
    with pytest.raises(Conflict):
        copy_objects(vault.session(), target)
    assert restores(opened(target, NEWER), kept)
