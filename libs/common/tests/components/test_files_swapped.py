"""Somebody who may write where root restores puts something else in the place of its files."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.components.component import PlacedInPart, Target
from common.components.files import FilesComponent
from common.components.files.restoring import delivering, identity
from common.components.files.restoring.arriving import Arriving
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.leaving import leave
from common.components.files.restoring.leftovers import PREFIX
from common.components.files.restoring.writing import Writing
from common.repository.entry import Entry, EntryType
from fake_tree import FakeTree

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes where others may")

AsNobody = Callable[[Callable[[], Any]], Any]
SIZE = 2 << 20
MINE = b"mine"
NOBODY = 65534


def restore(folder: Path, entry: Entry, *pieces: bytes) -> None:
    tree = FakeTree()
    tree.taken.append(entry)
    tree.data[entry.path] = [(number * SIZE // 2, piece) for number, piece in enumerate(pieces)]
    FilesComponent.of("files", []).restore(tree, Target(directory=folder))


def put_in(folder: Path, name: str) -> None:
    """Give the file ``name`` the temporary name that is there."""
    (temporary,) = folder.glob(f"{os.fsdecode(PREFIX)}*")
    (folder / name).rename(temporary)


@pytest.fixture
def swapped(
    open_folder: Path, as_nobody: AsNobody, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Lets nobody put a file in, once, before or after a function is called."""

    def arrange(where: Any, function: str, name: str, *, before: bool = False) -> None:
        act = getattr(where, function)

        def acting(*args: Any, **how: Any) -> None:
            monkeypatch.setattr(where, function, act)
            if before:
                as_nobody(lambda: put_in(open_folder, name))
            act(*args, **how)
            if not before:
                as_nobody(lambda: put_in(open_folder, name))

        monkeypatch.setattr(where, function, acting)

    return arrange


@pytest.mark.parametrize("before", ["make", "reserve", "part"])
def test_a_file_in_the_place_of_one_in_pieces_is_not_written_to(
    open_folder: Path, as_nobody: AsNobody, swapped: Callable[..., None], before: str
) -> None:
    """Lost: what only root may read, and setuid on a file that somebody still has open."""
    mine = open_folder / "mine"
    as_nobody(lambda: mine.write_bytes(MINE))
    mine_open = os.open(mine, os.O_RDWR)
    swapped(Arriving, before, "mine", before=before != "make")
    pieces = os.urandom(SIZE // 2), os.urandom(SIZE // 2)
    with pytest.raises(PlacedInPart, match="somebody put something else in its place: secret"):
        restore(open_folder, Entry(b"secret", EntryType.FILE, mode=0o4755, size=SIZE), *pieces)
    status = os.fstat(mine_open)
    assert (os.pread(mine_open, SIZE, 0), status.st_uid) == (MINE, NOBODY)
    os.close(mine_open)
    assert list(open_folder.iterdir()) == []


@pytest.mark.parametrize("kind", [EntryType.SYMLINK, EntryType.FIFO, EntryType.CHARACTER])
def test_a_file_in_the_place_of_a_special_one_keeps_its_owner(
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    swapped: Callable[..., None],
    kind: EntryType,
) -> None:
    """Lost: a private file of root, given to whoever can rename it."""
    (open_folder / "private").touch(0o600)
    file = os.open(open_folder / "private", os.O_RDONLY)
    calls = {EntryType.SYMLINK: "symlink", EntryType.FIFO: "mkfifo", EntryType.CHARACTER: "mknod"}
    monkeypatch.setattr(os, "mknod", lambda name, *_, dir_fd: os.mkfifo(name, dir_fd=dir_fd))
    swapped(os, calls[kind], "private")
    target = b"there" if kind is EntryType.SYMLINK else b""
    with pytest.raises(PlacedInPart, match="something else in its place: theirs"):
        restore(open_folder, Entry(b"theirs", kind, mode=0o666, uid=NOBODY, target=target))
    status = os.fstat(file)
    os.close(file)
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


def test_a_fifo_that_somebody_has_open_does_not_become_roots(
    open_folder: Path, as_nobody: AsNobody, swapped: Callable[..., None]
) -> None:
    """Lost: what is said to root's own fifo, to the one who put it there."""
    as_nobody(lambda: os.mkfifo(open_folder / "mine", 0o600))
    swapped(os, "mkfifo", "mine")
    with pytest.raises(PlacedInPart, match="something else in its place: fifo"):
        restore(open_folder, Entry(b"fifo", EntryType.FIFO, mode=0o600))


def test_what_somebody_may_have_open_is_not_left_for_the_next_restore(open_folder: Path) -> None:
    """Lost: what the next restore writes to it, were it to take it for its own."""
    folder = os.open(open_folder, os.O_PATH)
    file = open_folder / "part"
    file.write_bytes(MINE)
    for owner, mode, around, left in [
        (NOBODY, 0o600, 0o777, False),  # put there by somebody
        (0, 0o644, 0o755, False),  # whole, and it was open to all since
        (0, 0o600, 0o777, True),
        (0, 0o644, 0o700, True),
    ]:
        os.chown(file, owner, -1)
        file.chmod(mode)
        open_folder.chmod(around)
        assert leave(folder, b"part") is left
        assert left or (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (owner, mode)
    os.close(folder)


def test_a_folder_that_somebody_puts_in_is_not_taken_for_new(
    open_folder: Path, as_nobody: AsNobody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the care that is taken in folders where others have files."""
    as_nobody((open_folder / "mine").mkdir)
    make = os.mkdir

    def made(*args: Any, **how: Any) -> None:
        make(*args, **how)
        as_nobody(lambda: (open_folder / "mine").rename(open_folder / "folder"))

    folders = Folders(os.open(open_folder, os.O_PATH))
    monkeypatch.setattr(os, "mkdir", made)
    assert not folders.make(b"folder")
    assert not folders.is_new(b"folder")
    folders.close()


def test_a_number_that_is_given_again_is_no_proof(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the content of one restored file, under the name and mode of another."""
    folder = os.open(open_folder, os.O_PATH)
    file = os.open("a", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
    made = identity.identity(file)
    os.close(identity.reopen(folder, b"a", made))
    monkeypatch.setattr(identity, "generation", lambda _: made.generation + 1)
    with pytest.raises(PermissionError, match="in its place"):
        identity.reopen(folder, b"a", made)
    os.close(file)
    os.close(folder)


def test_a_disk_that_numbers_files_anew_is_no_attack(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: large files on an exFAT stick, which gives a file another number when it was closed."""
    folder = os.open(open_folder, os.O_PATH)
    file = os.open("a", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
    made = identity.identity(file)
    before = made._replace(number=made.number + 1)
    with pytest.raises(PermissionError, match="in its place"):
        identity.reopen(folder, b"a", before)
    monkeypatch.setattr(identity, "keeps_numbers", lambda _: False)
    os.close(identity.reopen(folder, b"a", before))
    os.close(file)
    os.close(folder)


def test_what_a_folder_gives_to_new_files_is_not_believed_to_stay(
    open_folder: Path, as_nobody: AsNobody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: what root's group alone may read, to the owner of a folder who turns setgid on."""
    os.chown(open_folder, NOBODY, NOBODY)
    make = Writing._make

    def made(*args: Any) -> None:
        make(*args)
        as_nobody(lambda: open_folder.chmod(0o2777))

    monkeypatch.setattr(Writing, "_make", made)
    monkeypatch.setattr(delivering, "processors", lambda: 1)
    tree = FakeTree()
    for name in (b"a", b"b", b"c"):
        tree.taken.append(Entry(name, EntryType.FILE, mode=0o640, size=4))
        tree.data[name] = [(0, MINE)]
    FilesComponent.of("files", []).restore(tree, Target(directory=open_folder))
    assert [path.stat().st_gid for path in open_folder.iterdir()] == [0, 0, 0]
