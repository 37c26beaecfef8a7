"""What is said of a backup's size before it has read anything."""

import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.components.component import Amount
from common.components.counting import Outlook
from common.components.files import FilesComponent, FilesOptions
from common.components.postgres import PostgresComponent, PostgresOptions
from common.components.sqlite import SqliteComponent, SqliteOptions
from fake_tree import FakeTree

WITHIN = 60.0


class Stubborn:
    """A component whose count does ``act``."""

    name = "stubborn"
    kind = "files"

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    def capture(self, *_: object) -> Any:
        raise NotImplementedError

    restore = capture

    def count(self) -> Amount:
        self._act()
        return Amount(1, 1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One of everything."""
    root = tmp_path / "tree"
    for name in ("a.log", "b.txt", "deep/c.log", "deep/d.txt", "skipped/e.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode() * 1000)
    (root / "other name").hardlink_to(root / "b.txt")
    (root / "link").symlink_to("b.txt")
    os.mkfifo(root / "pipe")
    os.mknod(root / "socket", stat.S_IFSOCK)
    with (root / "sparse").open("wb") as file:
        file.write(b"data" * 1024)
        file.truncate(100 * 2**20)
    return root


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"exclude": ("*.log", "/skipped/")},
        {"include": ("*.txt",)},
        {"one_file_system": True},
    ],
)
def test_what_is_counted_is_what_is_captured(tree: Path, options: dict[str, Any]) -> None:
    """Lost: a time to go that is right, for a total of what is left out."""
    component = FilesComponent("files", FilesOptions(paths=(str(tree),), **options))
    taken = FakeTree()
    component.capture(taken)
    taken.finish()
    size = sum(len(piece) for pieces in taken.data.values() for _, piece in pieces)
    assert component.count() == (len(taken.taken), size)


def until_counted(outlook: Outlook) -> None:
    deadline = time.monotonic() + WITHIN
    while outlook.counting:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_total_comes_when_all_is_counted(tree: Path, tmp_path: Path) -> None:
    """Lost: percent and time to go of a first backup; then, a time that goes below nothing."""
    database = tmp_path / "till.db"
    database.write_bytes(b"x" * 8192)
    files = FilesComponent.of("files", [tree / "deep"])
    till = SqliteComponent("till", SqliteOptions(path=database))
    entries, size = files.count()
    with Outlook([files, till], None) as outlook:
        until_counted(outlook)
        amount = (entries + 1, size + 8192)
        assert outlook.total("files", 0, 0) == outlook.total("till", amount[1], 1) == amount
        assert outlook.total("till", amount[1] + 1, 1) is None


def test_what_cannot_be_counted_counts_when_it_is_read(tree: Path) -> None:
    """Lost: the total of all files, for a database among them; or one that lacks its size."""
    files = FilesComponent.of("files", [tree / "deep"])
    entries, size = files.count()
    with Outlook([PostgresComponent("db", PostgresOptions()), files], None) as outlook:
        until_counted(outlook)
        assert outlook.total("begin", 0, 0) == (entries, size)
        assert [outlook.total("db", done, done) for done in (0, 1)] == [None, None]
        assert outlook.total("files", 1000, 2) == (entries + 2, size + 1000)
        assert outlook.total("files", 1500, 3) == (entries + 2, size + 1000)


@pytest.mark.parametrize(
    ("components", "known"),
    [
        ([FilesComponent.of("files", ["/usr"])], Amount(3, 1000)),
        ([PostgresComponent("db", PostgresOptions())], None),
    ],
)
def test_nothing_is_counted_for_nothing(
    monkeypatch: pytest.MonkeyPatch, components: list[Any], known: Amount | None
) -> None:
    """Lost: the disk's time, each night, for what is known or will not be known anyway."""
    monkeypatch.delattr(os, "fork")
    with Outlook(components, known) as outlook:
        assert not outlook.counting
        assert outlook.total("files", 0, 0) == known


@pytest.mark.parametrize(
    "act", [lambda: 1 / 0, lambda: os.kill(os.getpid(), signal.SIGKILL)], ids=["fails", "dies"]
)
def test_a_count_that_fails_is_no_failure(act: Callable[[], Any]) -> None:
    """Lost: a backup, for its progress bar."""
    with Outlook([Stubborn(act)], None) as outlook:
        until_counted(outlook)
        assert outlook.total("stubborn", 0, 0) is None


def test_without_room_for_a_process_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: a backup, for its progress bar."""

    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    with Outlook([Stubborn(int)], None) as outlook:
        assert not outlook.counting


def test_no_count_outlives_its_backup(tmp_path: Path) -> None:
    """Lost: a disk that is read for hours, for a backup that has ended."""
    told = tmp_path / "process"

    def hang() -> None:
        told.with_suffix(".new").write_text(str(os.getpid()))
        told.with_suffix(".new").rename(told)
        time.sleep(600)

    deadline = time.monotonic() + WITHIN
    with Outlook([Stubborn(hang)], None) as outlook:
        while not told.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert outlook.counting
        assert outlook.total("stubborn", 0, 0) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)
