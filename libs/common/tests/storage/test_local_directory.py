"""The blocking folder of objects that the repository engine writes into."""

import errno
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.errors import Corrupt, Forbidden, Invalid, NoSpace, NotFound, Unavailable
from common.storage.failures import explain
from common.storage.local import LocalDirectory


@pytest.fixture
def directory(tmp_path: Path) -> LocalDirectory:
    folder = LocalDirectory(tmp_path / "repository")
    folder.prepare()
    return folder


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    former = os.umask(request.param)
    yield request.param
    os.umask(former)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_modes_do_not_depend_on_the_umask(umask: int, tmp_path: Path) -> None:
    """Ciphertext, keys and their names would be readable by other users of the machine."""
    directory = LocalDirectory(tmp_path / "above" / "repository")
    directory.prepare()
    directory.write("packs/ab/abcd", b"x", owner="run")
    with directory.begin("run"):
        paths = [tmp_path / "above", *(tmp_path / "above").rglob("*")]
        assert {mode(path) for path in paths if path.is_dir()} == {0o700}
        assert [mode(path) for path in paths if path.is_file()] == [0o600, 0o600]


def test_prepare_closes_only_an_empty_folder(tmp_path: Path) -> None:
    """A folder shared by others (``/tmp``) would become unusable for them."""
    for name in ("empty", "used", "sticky"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755 if name != "sticky" else 0o1777)
    (tmp_path / "used" / "letter.txt").touch()
    for name in ("empty", "used", "sticky"):
        LocalDirectory(tmp_path / name).prepare()
    assert mode(tmp_path / "empty") == 0o700
    assert mode(tmp_path / "used") == 0o755
    assert mode(tmp_path / "sticky") == 0o1777


def test_draft_has_no_name_before_commit(directory: LocalDirectory) -> None:
    """A reader would take half a pack for a pack."""
    with directory.begin("run-1") as draft:
        draft.write(b"one")
        draft.write(memoryview(b"two"))
        assert list(directory.list()) == []
        assert draft.commit("packs/ab/abcd").size == 6
    assert directory.read("packs/ab/abcd") == b"onetwo"
    assert directory.leftovers() == []


def test_abandoned_draft_leaves_nothing(directory: LocalDirectory) -> None:
    """A failed backup would fill the disk with pieces that nobody finds."""
    with directory.begin("run-1") as draft:
        draft.write(b"one")
    assert directory.leftovers() == []


def test_leftovers_of_a_dead_run_are_found_by_owner(directory: LocalDirectory) -> None:
    """A takeover would delete what a live run is writing, or keep what a dead one left."""
    drafts = [directory.begin(owner) for owner in ("run-1", "run-1", "run-10")]
    assert len(directory.leftovers("run-1")) == 2
    assert directory.discard("run-1") == 2
    assert len(directory.leftovers()) == 1
    assert directory.discard(before=datetime.now(UTC) - timedelta(hours=1)) == 0
    for draft in drafts:
        draft.abort()


def test_what_was_set_aside_is_young(directory: LocalDirectory) -> None:
    """Lost: the damaged pack that another tool could still read, to the very next prune."""
    directory.write("config", b"old", owner="run")
    os.utime(directory.path / "config", (0, 0))
    aside = directory.set_aside("config", "damaged")
    assert directory.leftovers("damaged") == [aside]
    assert directory.leftovers("damaged", before=datetime.now(UTC) - timedelta(hours=1)) == []


@pytest.mark.parametrize("owner", ["", "a/b", "..", "a.b", "é"])
def test_owner_cannot_escape(directory: LocalDirectory, owner: str) -> None:
    """A temporary file would be written outside the repository."""
    with pytest.raises(Invalid):
        directory.begin(owner)


def test_missing_root_is_never_created(tmp_path: Path) -> None:
    """With its disk not mounted, a backup would go to the disk that it should survive."""
    directory = LocalDirectory(tmp_path / "absent")
    with pytest.raises(Unavailable, match="Mount its disk"):
        directory.write("config", b"x", owner="run")
    with pytest.raises(Unavailable):
        directory.read("config")
    with pytest.raises(Unavailable):
        list(directory.list())
    assert not (tmp_path / "absent").exists()


def test_symlink_is_not_followed(directory: LocalDirectory, tmp_path: Path) -> None:
    """A planted link would send any file of this machine to a destination."""
    (tmp_path / "secret").write_text("secret")
    (directory.path / "config").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        directory.read("config")
    assert not directory.exists("config")
    assert list(directory.list()) == []


def test_mapped_object_is_readable(directory: LocalDirectory) -> None:
    """An index could not be searched without loading it."""
    directory.write("index/ab", [b"first", bytearray(b"second")], owner="run")
    with directory.map("index/ab") as mapped:
        assert mapped[5:] == b"second"
    directory.write("index/cd", b"", owner="run")
    with pytest.raises(Corrupt):
        directory.map("index/cd")


def test_foreign_files_are_not_objects(directory: LocalDirectory) -> None:
    """``lost+found`` or a ``.DS_Store`` would be copied, or stop a backup."""
    directory.write("packs/ab/abcd", b"x", owner="run")
    for name in (".DS_Store", "README.txt", "packs/lost+found"):
        (directory.path / name).touch()
    assert [info.name for info in directory.list()] == ["packs/ab/abcd"]


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, NoSpace, "Free some"),
        (errno.EDQUOT, NoSpace, "quota"),
        (errno.EROFS, Forbidden, "Mount it for writing"),
        (errno.EACCES, Forbidden, "chown"),
        (errno.EIO, Unavailable, "Check the disk"),
    ],
)
def test_errors_say_what_to_do(
    number: int, kind: type[Exception], says: str, tmp_path: Path
) -> None:
    """An operator at night would see a number instead of the next step."""
    error = explain(OSError(number, os.strerror(number)), tmp_path, "config")
    assert isinstance(error, kind)
    assert says in str(error)


def test_full_disk_leaves_no_object(
    directory: LocalDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut pack would stand under a name that promises a whole one."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpace), directory.begin("run") as draft:
        draft.commit("config")
    monkeypatch.undo()
    assert list(directory.list()) == []
    assert directory.leftovers() == []


def test_a_sign_of_life_is_of_its_last_time(directory: LocalDirectory) -> None:
    """A run would be taken for dead a week after its first sign."""
    now = datetime.now(UTC)
    directory.show_life("run")
    for path in directory.leftovers():
        os.utime(path, (0, 0))
    assert directory.at_work(now - timedelta(days=7)) == set()
    directory.show_life("run")
    assert directory.at_work(now - timedelta(days=7)) == {"run"}
    assert directory.discard("run") == 1
