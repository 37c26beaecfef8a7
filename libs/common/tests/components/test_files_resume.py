"""A restore is killed and repeated at the same target."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.components.component import Target
from common.components.files import FilesComponent
from common.components.files.restoring import leftovers
from common.components.files.restoring.leftovers import PREFIX
from common.errors import Conflict
from common.repository.entry import Entry
from fake_tree import FakeTree
from trees import compare

COUNT = 60


class Stopping(FakeTree):
    """Where it stops, no more content comes when two thirds are there."""

    stops = False

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, Any]]:
        for piece in super().contents(entries):
            if self.stops and piece[0].path.endswith(b"/40"):
                signal.pause()  # until this process goes with its parent
            yield piece


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number:02}").write_bytes(os.urandom(150_000))
    return folder


def captured(source: Path) -> Stopping:
    tree = Stopping()
    tree.details = FilesComponent.of("files", [source]).capture(tree)
    return tree


def restore(tree: FakeTree, target: Path) -> None:
    FilesComponent.of("files", []).restore(tree, Target(directory=target))


def begun(tree: Stopping, target: Path) -> int:
    """A restore in another process, which never ends."""
    child = os.fork()
    if child == 0:
        tree.stops = True
        restore(tree, target)
        os._exit(0)
    return child


def killed_in_the_middle(tree: Stopping, target: Path, here: Path) -> None:
    """Restore in another process, and kill it when a part is in place."""
    child = begun(tree, target)
    give_up = time.monotonic() + 60
    while len(named(here)) < COUNT // 3 and time.monotonic() < give_up:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def named(folder: Path) -> dict[str, int]:
    """The files that have their names, with their inodes."""
    if not folder.exists():
        return {}
    prefix = os.fsdecode(PREFIX)
    found = [path for path in folder.iterdir() if not path.name.startswith(prefix)]
    return {path.name: path.stat().st_ino for path in found}


def test_a_killed_restore_goes_on_where_it_was(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the hours that it had taken so far, or the disk space of what it left."""
    monkeypatch.setattr(leftovers, "PATIENCE", 60)
    tree, target = captured(source), tmp_path / "target"
    here = target / source.relative_to("/")
    killed_in_the_middle(tree, target, here)
    before = named(here)
    assert COUNT // 3 <= len(before) < COUNT
    assert all((here / name).stat().st_size == 150_000 for name in before)
    changed, *others = sorted(before)
    status = (here / changed).stat()
    (here / changed).write_bytes(os.urandom(150_000))
    os.utime(here / changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    (here / others[0]).chmod(0o777)
    restore(tree, target)
    assert not compare(source, here)
    after = named(here)
    assert len(after) == COUNT == len(list(here.iterdir()))
    assert {name for name in before if before[name] != after[name]} == {changed}


def test_what_leads_to_a_killed_restore_is_finished_by_the_next_one(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: who may enter /home, closed to all but root for good; or a folder laid open."""
    monkeypatch.setattr(leftovers, "PATIENCE", 60)
    tmp_path.chmod(0o751)
    tree, target = captured(source), tmp_path / "target"
    here = target / source.relative_to("/")
    before = target / here.relative_to(target).parts[0]
    before.mkdir(parents=True)
    before.chmod(0o2700)
    killed_in_the_middle(tree, target, here)
    restore(tree, target)
    assert here.parent.stat().st_mode == tmp_path.stat().st_mode
    assert before.stat().st_mode & 0o7777 == 0o2700


def test_a_file_with_another_name_is_not_taken_for_ours(source: Path, tmp_path: Path) -> None:
    """Lost: the mode of somebody's file, of which the target has a link."""
    tree, target = captured(source), tmp_path / "target"
    restore(tree, target)
    theirs = tmp_path / "theirs"
    os.link(target / source.relative_to("/") / "00", theirs)
    theirs.chmod(0o640)
    restore(tree, target)
    assert theirs.stat().st_mode & 0o777 == 0o640
    assert not compare(source, target / source.relative_to("/"))


def test_two_restores_do_not_share_a_target(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: what one of them is about to name, swept away by the other."""
    monkeypatch.setattr(leftovers, "PATIENCE", 0)
    tree, target = captured(source), tmp_path / "target"
    child = begun(tree, target)
    try:
        while not named(target / source.relative_to("/").parent):
            time.sleep(0.002)
        with pytest.raises(Conflict):
            restore(tree, target)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
