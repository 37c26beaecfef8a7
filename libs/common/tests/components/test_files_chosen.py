"""What is said beforehand of a restore of chosen paths."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.components.component import Target
from common.components.files import FilesComponent
from common.components.files.restoring.restore import restore
from common.components.names import ChosenPaths
from fake_tree import FakeTree
from trees import compare

HOLE = 8 << 20


@pytest.fixture
def tree(tmp_path: Path) -> FakeTree:
    """Captured: a folder with a link into another folder, and a sparse file."""
    source, tree = tmp_path / "source", FakeTree()
    for name, size in (("carrier/file", 700), ("chosen/file", 1000), ("other", 5000)):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"x" * size)
    (source / "chosen/link").hardlink_to(source / "carrier/file")
    with (source / "chosen/sparse").open("wb") as file:
        file.truncate(HOLE)
        file.seek(HOLE)
        file.write(b"y" * 4096)
    tree.details = FilesComponent.of("files", [source]).capture(tree)
    return tree


def test_the_size_of_what_is_chosen_is_told_before_it_is_read(
    tree: FakeTree, tmp_path: Path
) -> None:
    """Lost: percent and time to go of a restore of some paths; or ones that are never reached."""
    select = ChosenPaths([str(tmp_path / "source/chosen")])
    outcome = FilesComponent.of("files", []).restore(
        tree, Target(directory=tmp_path / "target"), select
    )
    assert outcome.size_bytes == 700 + 1000 + HOLE + 4096
    assert tree.expected == [700 + 1000 + 4096]


def test_all_of_a_backup_is_no_choice(tree: FakeTree, tmp_path: Path) -> None:
    """Lost: a look at every entry before the first file is restored."""
    FilesComponent.of("files", []).restore(tree, Target(directory=tmp_path / "target"))
    assert tree.expected == []


def test_a_hard_link_alone_comes_with_the_folders_that_lead_to_it(
    tree: FakeTree, tmp_path: Path
) -> None:
    """Lost: modes and owners of these folders, where the file's first name is elsewhere."""
    chosen = tmp_path / "source/chosen"
    FilesComponent.of("files", []).restore(
        tree, Target(directory=tmp_path / "target"), ChosenPaths([str(chosen / "link")])
    )
    here = tmp_path / "target" / chosen.relative_to("/")
    assert [path.name for path in here.iterdir()] == ["link"]
    for twin, folder in ((here, chosen), (here.parent, chosen.parent)):
        assert twin.stat().st_mode == folder.stat().st_mode
        assert twin.stat().st_mtime_ns == folder.stat().st_mtime_ns
    assert not (here.parent / "carrier").exists()


def test_a_folder_on_the_way_keeps_its_mode(
    open_folder: Path, as_nobody: Callable[[Callable[[], Any]], Any]
) -> None:
    """Lost: the protection of one's own folders, to a restore of one file below them."""
    file, tree = open_folder / "source/closed/file", FakeTree()
    file.parent.mkdir(parents=True)
    file.touch()
    tree.details = FilesComponent.of("files", [open_folder / "source"]).capture(tree)
    here = open_folder / "target" / file.parent.relative_to("/")

    def restored() -> bool:
        here.mkdir(parents=True)
        here.chmod(0o500)
        target, select = Target(directory=open_folder / "target"), ChosenPaths([f"{file}"])
        restore(tree, target, [], select, numeric_owners=False)
        return (here / "file").exists()

    assert as_nobody(restored)
    assert here.stat().st_mode & 0o7777 == 0o500


def test_so_does_another_name_of_a_fifo(tmp_path: Path) -> None:
    """Lost: who may enter these folders, where a name of what is no file was chosen alone."""
    source, tree = tmp_path / "source", FakeTree()
    for name in ("a", "z"):
        (source / name).mkdir(parents=True)
    os.mkfifo(source / "a/fifo")
    (source / "z/fifo").hardlink_to(source / "a/fifo")
    os.utime(source / "z", ns=(7, 7))
    tree.details = FilesComponent.of("files", [source]).capture(tree)
    FilesComponent.of("files", []).restore(
        tree, Target(directory=tmp_path / "target"), ChosenPaths([str(source / "z/fifo")])
    )
    (source / "a/fifo").unlink()
    here = tmp_path / "target" / source.relative_to("/")
    assert [path.name for path in here.iterdir()] == ["z"]
    assert compare(source / "z", here / "z") == []
