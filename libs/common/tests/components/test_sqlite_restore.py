"""SQLite databases brought back: beside nothing, over nothing, over one in use."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from common.components.component import RestoreOutcome, Target
from common.components.sqlite import SqliteComponent, SqliteOptions
from common.errors import Conflict, NoSpace, NotFound, RestoreFailed
from fake_tree import FakeTree

APPLICATION = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
for line in sys.stdin:
    try:
        print(connection.execute(line).fetchall(), flush=True)
    except sqlite3.Error as error:
        print(error, flush=True)
"""


class Application:
    """Another process that has a database open."""

    def __init__(self, path: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", APPLICATION, str(path)]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def ask(self, statement: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        return str(self.process.stdout.readline()).strip()


@contextmanager
def application(path: Path) -> Iterator[Application]:
    running = Application(path)
    try:
        yield running
    finally:
        running.process.communicate(timeout=60)


def make(path: Path, rows: int, mode: str = "delete", page_size: int = 4096) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA page_size = {page_size}; PRAGMA journal_mode = {mode}")
    connection.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, note)")
    with connection:
        connection.executemany("INSERT INTO sale (note) VALUES (randomblob(500))", [()] * rows)
    connection.close()
    return path


def count(path: Path) -> int:
    connection = apsw.Connection(str(path))
    try:
        return int(str(connection.execute("SELECT count(*) FROM sale").fetchall()[0][0]))
    finally:
        connection.close()


def capture(path: Path) -> FakeTree:
    tree = FakeTree()
    tree.details = SqliteComponent("till", SqliteOptions(path=path)).capture(tree)
    return tree


def in_place(tree: FakeTree, path: Path | None, wait: float = 1) -> RestoreOutcome:
    component = SqliteComponent("till", SqliteOptions(path=path, wait_seconds=wait))
    return component.restore(tree, Target(in_place=True))


def elsewhere(tree: FakeTree, directory: Path) -> RestoreOutcome:
    return SqliteComponent("till", SqliteOptions()).restore(tree, Target(directory=directory))


def test_into_a_folder_it_comes_back_with_what_the_file_was(tmp_path: Path) -> None:
    """Lost: the database or its mode and owner, on a new machine without any configuration."""
    path = make(tmp_path / "till.db", 100, "wal")
    path.chmod(0o640)
    outcome = elsewhere(capture(path), tmp_path / "a/new")
    new = tmp_path / "a/new/till.db"
    assert new.read_bytes() == path.read_bytes()
    assert new.stat().st_mode == path.stat().st_mode
    assert new.stat().st_mtime_ns == path.stat().st_mtime_ns
    assert (outcome.entries, outcome.size_bytes) == (1, path.stat().st_size)
    assert outcome.warnings == ()
    assert [file.name for file in new.parent.iterdir()] == ["till.db"]


def test_into_a_folder_nothing_is_overwritten(tmp_path: Path) -> None:
    """Lost: the current database, for a restore that was only to look."""
    path = make(tmp_path / "till.db", 100)
    tree = capture(path)
    path.with_name("till.db-wal").write_bytes(b"newer")
    elsewhere(tree, tmp_path)  # as one that was begun by a worker that died
    assert path.with_name("till.db-wal").read_bytes() == b"newer"
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"changed")
    with pytest.raises(Conflict):
        elsewhere(tree, tmp_path)
    with pytest.raises(NotFound):
        SqliteComponent("till", SqliteOptions()).restore(
            tree, Target(directory=tmp_path / "new"), lambda path: path == b"other"
        )
    with pytest.raises(RestoreFailed):
        SqliteComponent("till", SqliteOptions()).restore(tree, Target())
    with pytest.raises(Conflict):
        in_place(tree, None)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_in_place_those_who_have_it_open_see_what_came_back(tmp_path: Path, mode: str) -> None:
    """Lost: what an application writes into a file that no longer has a name."""
    path = make(tmp_path / "till.db", 100, mode)
    tree = capture(path)
    with application(path) as till:
        assert till.ask("DELETE FROM sale WHERE id > 10") == "[]"
        in_place(tree, path)
        assert till.ask("SELECT count(*) FROM sale") == "[(100,)]"
        assert till.ask("INSERT INTO sale (note) VALUES (1)") == "[]"
        assert till.ask("PRAGMA integrity_check") == "[('ok',)]"
        assert till.ask("PRAGMA journal_mode") == f"[('{mode}',)]"
    assert count(path) == 101


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_in_place_a_writer_is_not_pushed_aside(tmp_path: Path, mode: str) -> None:
    """Lost: the sale that is being made."""
    path = make(tmp_path / "till.db", 100, mode)
    tree = capture(path)
    with application(path) as till:
        till.ask("BEGIN IMMEDIATE")
        till.ask("INSERT INTO sale (note) VALUES (1)")
        with pytest.raises(Conflict, match="in use"):
            in_place(tree, path, wait=0.2)
        assert till.ask("COMMIT") == "[]"
    assert count(path) == 101
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".strongroom")]


def test_in_place_a_reader_keeps_what_it_sees(tmp_path: Path) -> None:
    """Lost: the report that runs while the till is restored."""
    path = make(tmp_path / "till.db", 100, "wal")
    tree = capture(path)
    with application(path) as till, application(path) as report:
        till.ask("DELETE FROM sale")
        report.ask("BEGIN")
        assert report.ask("SELECT count(*) FROM sale") == "[(0,)]"
        in_place(tree, path)
        assert report.ask("SELECT count(*) FROM sale") == "[(0,)]"
        report.ask("COMMIT")
        assert report.ask("SELECT count(*) FROM sale") == "[(100,)]"


@pytest.mark.parametrize(("old", "new"), [("wal", "delete"), ("delete", "wal"), ("wal", "wal")])
def test_in_place_over_pages_of_another_size(tmp_path: Path, old: str, new: str) -> None:
    """Lost: the restore after a VACUUM that changed the form of the database."""
    path = make(tmp_path / "till.db", 100, old, 1024)
    tree = capture(path)
    path.unlink()
    make(path, 5, new, 8192)
    in_place(tree, path)
    assert count(path) == 100


def test_in_place_what_a_lost_database_left_behind_is_not_played_in(tmp_path: Path) -> None:
    """Lost: the restored database, to the log of the one before."""
    path = make(tmp_path / "till.db", 100, "wal")
    tree = capture(path)
    with application(path) as till:
        till.ask("UPDATE sale SET note = randomblob(500)")
        till.process.kill()
    path.unlink()
    assert path.with_name("till.db-wal").stat().st_size
    in_place(tree, path)
    assert not path.with_name("till.db-wal").exists()
    assert path.read_bytes() == b"".join(tree.stream(tree.taken[0]))


@pytest.mark.parametrize("wreck", [b"", b"overwritten " * 1000])
def test_in_place_over_what_is_no_database_any_more(tmp_path: Path, wreck: bytes) -> None:
    """Lost: the restore in the very case it is for."""
    path = make(tmp_path / "till.db", 100)
    tree = capture(path)
    path.write_bytes(wreck)
    path.with_name("till.db-journal").write_bytes(b"stale")
    in_place(tree, path)
    assert count(path) == 100


def test_a_database_that_was_damaged_before_replaces_no_other(tmp_path: Path) -> None:
    """Lost: a good database for a bad one; or what could be saved of the bad one."""
    path = make(tmp_path / "till.db", 100)
    good = path.read_bytes()
    path.write_bytes(good[:8192] + b"\xff" * 4096 + good[12288:])
    tree = capture(path)
    path.write_bytes(good)
    with pytest.raises(RestoreFailed, match="damaged when it was backed up"):
        in_place(tree, path)
    assert path.read_bytes() == good
    outcome = elsewhere(tree, tmp_path / "new")
    assert (tmp_path / "new/till.db").stat().st_size == len(good)
    assert "damaged when it was backed up" in outcome.warnings[0]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, small_disk: Path) -> None:
    """Lost: the space that is missing already."""
    tree = capture(make(tmp_path / "till.db", 5000))
    with pytest.raises(NoSpace):
        elsewhere(tree, small_disk)
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_leaves_the_database_as_it_is(tmp_path: Path, small_disk: Path) -> None:
    """Lost: the current database, for one that did not fit."""
    tree = capture(make(tmp_path / "till.db", 1000))
    path = make(small_disk / "till.db", 100)
    with pytest.raises(NoSpace):
        in_place(tree, path)
    assert count(path) == 100
