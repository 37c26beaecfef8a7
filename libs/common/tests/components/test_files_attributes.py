"""Restores whose target has no room for an attribute, or for anything."""

import errno
import os
from pathlib import Path

import pytest

from common.components.component import Target
from common.components.files import FilesComponent
from common.components.files.metadata import Applier
from common.repository.entry import Entry, EntryType
from fake_tree import FakeTree


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A file whose attribute no file system here has room for."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "setxattr", refuse)
    xattrs = ((b"user.big", b"x" * 20_000),)
    return Entry(b"marked", EntryType.FILE, mode=0o640, size=4, xattrs=xattrs)


def test_an_attribute_too_large_for_the_target_keeps_nothing_else_from_coming(
    marked: Entry, tmp_path: Path
) -> None:
    """Lost: every file of a backup, for one attribute that another file system had room for."""
    tree = FakeTree()
    tree.taken = [marked, Entry(b"other", EntryType.FILE, size=4)]
    tree.data = {b"marked": [(0, b"kept")], b"other": [(0, b"kept")]}
    outcome = FilesComponent.of("files", []).restore(tree, Target(directory=tmp_path / "target"))
    assert outcome.warnings == ("extended attribute (user) not restored: marked",)
    assert (tmp_path / "target/marked").read_text() == "kept"
    assert (tmp_path / "target/other").read_text() == "kept"


def test_an_owner_with_a_nul_in_its_name_keeps_nothing_from_coming(tmp_path: Path) -> None:
    """Lost: every file of a backup, for one name that nobody can have."""
    tree = FakeTree()
    tree.taken = [Entry(b"owned", EntryType.FILE, uid=os.getuid(), user="a\0b", group="a\0b")]
    FilesComponent.of("files", []).restore(tree, Target(directory=tmp_path / "target"))
    assert (tmp_path / "target/owned").is_file()


def test_an_attribute_with_a_nul_in_its_name_keeps_nothing_else_from_coming(tmp_path: Path) -> None:
    """Lost: every file of a backup, for one attribute that no file can have."""
    tree = FakeTree()
    xattrs = ((b"us\0r.x", b"x"), (b"user.kept", b"y"))
    tree.taken = [Entry(b"marked", EntryType.FILE, size=4, xattrs=xattrs)]
    tree.data = {b"marked": [(0, b"kept")]}
    outcome = FilesComponent.of("files", []).restore(tree, Target(directory=tmp_path / "target"))
    assert outcome.warnings == ("extended attribute (us) not restored: marked",)
    assert (tmp_path / "target/marked").read_text() == "kept"
    assert os.getxattr(tmp_path / "target/marked", "user.kept") == b"y"


def test_an_attribute_that_meets_a_full_disk_is_not_skipped(
    marked: Entry, small_disk: Path
) -> None:
    """Lost: attributes of file after file, where a restore could be repeated with more room."""
    with (small_disk / "marked").open("wb", buffering=0) as file:
        file.write(bytes(2 << 20))
        with pytest.raises(OSError, match="No space"):
            Applier(lambda *_: None).apply(marked, file.fileno())
