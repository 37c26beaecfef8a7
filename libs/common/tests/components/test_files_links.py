"""Hard links come back, whatever becomes of the time of what they are links to."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from common.components.component import RestoreOutcome, Target
from common.components.files import FilesComponent
from common.components.names import ChosenPaths
from common.errors import Corrupt
from common.repository.entry import Entry, EntryType
from fake_tree import FakeTree

FILE = Entry(b"a/file", EntryType.FILE, size=5, mtime_ns=1_000_000_007)
LINK = Entry(b"z/link", EntryType.HARDLINK, target=b"a/file", mtime_ns=5)
OTHER = Entry(b"z/other", EntryType.HARDLINK, target=b"a/file", mtime_ns=5)


def restore(
    directory: Path, entries: Collection[Entry], *paths: str, damaged: Collection[bytes] = ()
) -> RestoreOutcome:
    tree = FakeTree()
    tree.taken = list(entries)
    tree.data = {each.path: [(0, b"hello")] for each in entries}
    tree.damaged = set(damaged)
    select = ChosenPaths(paths) if paths else None
    return FilesComponent.of("files", []).restore(tree, Target(directory=directory), select)


def test_a_file_that_grew_during_the_backup_keeps_its_names(tmp_path: Path) -> None:
    """Lost: all names but one of a log that is written to; or of any file, where times change."""
    outcome = restore(tmp_path, [FILE, LINK, OTHER])
    assert (outcome.warnings, outcome.entries) == ((), 3)
    assert (tmp_path / "z/link").samefile(tmp_path / "a/file")
    assert (tmp_path / "z/other").samefile(tmp_path / "a/file")


def test_chosen_names_of_a_file_that_grew_are_one_file(tmp_path: Path) -> None:
    """Lost: all chosen names but one, where the first one of all was not chosen."""
    assert restore(tmp_path, [FILE, LINK, OTHER], "/z").warnings == ()
    assert (tmp_path / "z/link").samefile(tmp_path / "z/other")
    assert not (tmp_path / "a").exists()


def test_a_file_that_happens_to_be_there_gets_no_names(tmp_path: Path) -> None:
    """Lost: the truth about a name: it would have the content of another file."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("of today")
    assert restore(tmp_path, [LINK]).warnings == ("its content is not in the backup: z/link",)
    assert not (tmp_path / "z/link").exists()


def test_names_of_damaged_content_say_so(tmp_path: Path) -> None:
    """Lost: the reason; the backup is said to be without what the repository has lost."""
    with pytest.raises(Corrupt, match="z/link, which it is a link to, was not restored: z/other"):
        restore(tmp_path, [FILE, LINK, OTHER], "/z", damaged=[b"a/file"])
    assert list((tmp_path / "z").iterdir()) == []


def test_names_of_a_device_share_its_lot(
    open_folder: Path, as_nobody: Callable[[Callable[[], Any]], Any]
) -> None:
    """Lost: the reason, which is that only root makes devices; or today's file gets their names."""
    device = Entry(b"a", EntryType.CHARACTER, device=(1, 3), mtime_ns=7)
    link = Entry(b"b", EntryType.HARDLINK, target=b"a", mtime_ns=5)
    (open_folder / "a").write_text("of today")
    outcome = as_nobody(lambda: restore(open_folder, [device, link]))
    assert outcome.warnings == ("device not restored: a, b",)
    assert [path.name for path in open_folder.iterdir()] == ["a"]
