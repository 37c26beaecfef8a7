"""SQLite databases: a true copy while they are in use, and back again."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import apsw
import pytest

from common.components.component import Target
from common.components.sqlite import SqliteComponent, SqliteOptions
from common.components.sqlite.vfs import LOCK_BYTE, PageFiles
from common.errors import CaptureFailed
from common.repository.entry import Entry
from fake_tree import FakeTree

WRITER = Path(__file__).with_name("sqlite_writer.py")


def component(path: Path | None, wait_seconds: float = 20) -> SqliteComponent:
    return SqliteComponent("till", SqliteOptions(path=path, wait_seconds=wait_seconds))


def capture(path: Path, tree: FakeTree | None = None, wait_seconds: float = 20) -> FakeTree:
    tree = tree or FakeTree()
    tree.details = component(path, wait_seconds).capture(tree)
    return tree


def content(tree: FakeTree) -> bytes:
    return b"".join(tree.stream(tree.taken[0]))


@contextmanager
def connected(path: Path, timeout: float = 10) -> Iterator[apsw.Connection]:
    """A connection by the library that the component uses: two in a process undo their locks."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(int(timeout * 1000))
    try:
        yield connection
    finally:
        connection.close()


def sql(path: Path, statement: str, timeout: float = 10) -> list[tuple[Any, ...]]:
    with connected(path, timeout) as connection:
        return connection.execute(statement).fetchall()


def make(path: Path, mode: str = "delete", page_size: int = 4096, rows: int = 300) -> Path:
    with connected(path) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}; PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER)")
        connection.execute("CREATE TABLE movement (id INTEGER PRIMARY KEY, amount, note)")
        with connection:
            connection.executemany("INSERT INTO account VALUES (?, 0)", ((n,) for n in range(200)))
            connection.executemany(
                "INSERT INTO movement (amount, note) VALUES (0, randomblob(?))", [(2000,)] * rows
            )
    return path


@contextmanager
def writing(path: Path) -> Iterator[Callable[[], int]]:
    """Somebody writes all the while; gives a function that ends it and says how often."""
    stop = path.with_name("stop")
    writer = subprocess.Popen(
        [sys.executable, WRITER, path, stop, "200"], stdout=subprocess.PIPE, text=True
    )

    def end() -> int:
        stop.touch()
        return int(writer.communicate(timeout=60)[0])

    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        yield end
    finally:
        stop.touch()
        writer.communicate(timeout=60)


class Meanwhile(FakeTree):
    """Does something after the first part of a stream was read."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        first = stream.read(10)
        self._act()

        class Rest:
            def read(self, count: int) -> bytes:
                nonlocal first
                first, piece = b"", first or stream.read(count)
                return piece

        super().add_stream(entry, Rest())  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["wal", "delete", "truncate", "persist"])
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_a_database_at_rest_is_copied_to_the_byte(
    tmp_path: Path, mode: str, page_size: int
) -> None:
    """Lost: any page that the copy misses or misplaces."""
    path = make(tmp_path / "till.db", mode, page_size)
    before, files = path.read_bytes(), sorted(tmp_path.iterdir())
    tree = capture(path)
    assert content(tree) == before == path.read_bytes()
    assert tree.taken[0].path == b"till.db"
    assert tree.details["tables"] == {"account": 200, "movement": 300}
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_copy_under_writes_is_one_moment(tmp_path: Path, mode: str) -> None:
    """Lost: the books, when half a transaction is in the backup."""
    path = make(tmp_path / "till.db", mode)
    trees: dict[int, FakeTree] = {}
    with writing(path) as end:
        limit = time.monotonic() + 120
        while len(trees) < 4 and time.monotonic() < limit:
            tree = capture(path, wait_seconds=60)
            trees[tree.details["tables"]["movement"]] = tree
        written = end()
    assert len(trees) == 4, f"{written} transactions"
    for number, tree in trees.items():
        copy = tmp_path / f"copy-{number}.db"
        copy.write_bytes(content(tree))
        assert sql(copy, "PRAGMA integrity_check") == [("ok",)]
        assert sql(copy, "SELECT sum(amount) FROM account") == [(0,)]
        assert sql(copy, "SELECT sum(amount) FROM movement") == [(0,)]
        assert sql(copy, "SELECT count(*) FROM movement") == [(number,)]


def test_what_is_only_in_the_log_is_copied(tmp_path: Path) -> None:
    """Lost: everything since the last checkpoint."""
    path = make(tmp_path / "till.db", "wal")
    with connected(path) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE late AS SELECT * FROM movement")
        before = path.read_bytes()
        tree = capture(path)
        assert path.read_bytes() == before
        assert path.with_name("till.db-wal").stat().st_size
    (tmp_path / "copy.db").write_bytes(content(tree))
    assert sql(tmp_path / "copy.db", "SELECT count(*) FROM late") == [(300,)]


def test_with_a_log_others_write_while_the_copy_runs(tmp_path: Path) -> None:
    """Lost: sales, while the till waits for the backup."""
    path = make(tmp_path / "till.db", "wal", rows=3000)

    def write() -> None:
        for _ in range(3):
            sql(path, "INSERT INTO movement (amount) VALUES (5)")
            sql(path, "PRAGMA wal_checkpoint(truncate)", timeout=0.1)

    before = path.read_bytes()
    assert content(capture(path, Meanwhile(write))) == before
    assert sql(path, "SELECT count(*) FROM movement WHERE amount = 5") == [(3,)]


def test_a_small_database_without_a_log_is_free_as_soon_as_the_copy_begins(
    tmp_path: Path,
) -> None:
    """Lost: sales, while the till waits for the backup to be compressed and stored."""
    path = make(tmp_path / "till.db", "delete", rows=3000)
    before = path.read_bytes()

    def write() -> None:
        sql(path, "INSERT INTO movement (amount) VALUES (5)")

    assert content(capture(path, Meanwhile(write))) == before


def test_a_large_database_without_a_log_makes_writers_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the consistency of a copy that does not fit into memory."""
    monkeypatch.setattr("common.components.sqlite.AHEAD", 1 << 20)
    path = make(tmp_path / "till.db", "delete", rows=3000)
    before = path.read_bytes()

    def write() -> None:
        with pytest.raises(apsw.BusyError):
            sql(path, "DELETE FROM movement", timeout=0.1)

    assert content(capture(path, Meanwhile(write))) == before


def test_a_crashed_till_is_copied_as_it_will_recover(tmp_path: Path) -> None:
    """Lost: the consistency of the copy after a power cut."""
    path = make(tmp_path / "till.db", "delete")
    crash = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA cache_size = 2'); c.execute('BEGIN');"
        "c.execute('UPDATE movement SET note = randomblob(2000)');"
        "c.execute('UPDATE account SET amount = 1'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", crash, path], check=False)
    assert path.with_name("till.db-journal").stat().st_size
    (tmp_path / "copy.db").write_bytes(content(capture(path)))
    assert sql(tmp_path / "copy.db", "SELECT sum(amount) FROM account") == [(0,)]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_lock_is_waited_for_and_then_told(tmp_path: Path, mode: str) -> None:
    """Lost: the night, to a transaction that somebody left open."""
    path = make(tmp_path / "till.db", mode)
    with connected(path) as connection:
        connection.execute("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE")
        connection.execute("DELETE FROM movement")
        with pytest.raises(CaptureFailed, match=r"locked for 0\.2 seconds"):
            capture(path, wait_seconds=0.2)


def test_what_is_no_database_fails_the_backup(tmp_path: Path) -> None:
    """Lost: the till, while each night's backup of the wrong file succeeds."""
    (tmp_path / "text").write_text("not a database, but long enough to look into\n" * 100)
    (tmp_path / "folder").mkdir()
    for name in ("text", "folder", "missing"):
        tree = FakeTree()
        with pytest.raises(CaptureFailed, match=name):
            capture(tmp_path / name, tree)
        assert tree.taken == []
    with pytest.raises(CaptureFailed):
        component(None).capture(FakeTree())


def test_a_damaged_database_is_backed_up_with_a_warning(tmp_path: Path) -> None:
    """Lost: the last good backup, which goes while the bad ones are taken for good."""
    path = make(tmp_path / "till.db")
    assert capture(path).warnings == []
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    tree = capture(path)
    assert content(tree) == path.read_bytes()
    assert "till.db is damaged" in tree.warnings[0]


def test_a_database_whose_tables_cannot_be_listed_fails_the_backup(tmp_path: Path) -> None:
    """Lost: the reason, and hours with the permissions of a folder that are right."""
    path = make(tmp_path / "till.db")
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * 3000 + whole[3100:])
    with pytest.raises(CaptureFailed, match="is damaged"):
        capture(path)


def test_an_empty_file_is_an_empty_database(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    tree = capture(tmp_path / "empty.db")
    component(None).restore(tree, Target(directory=tmp_path / "new"))
    assert (tmp_path / "new/empty.db").read_bytes() == b""


def test_a_copy_that_breaks_off_or_comes_in_another_order_is_no_copy() -> None:
    """Lost: the database, were a newer SQLite to write its pages in another order."""
    files = PageFiles(4096)
    files.take(bytes(4096), 0)
    files.take(b"2" * 4096, 4096)
    for offset in (4096, 12288):
        with pytest.raises(CaptureFailed):
            files.take(bytes(4096), offset)
    files.place = LOCK_BYTE
    files.take(b"3" * 4096, LOCK_BYTE + 4096)
    assert list(files.pages) == [b"2" * 4096, bytes(4096), b"3" * 4096]


@pytest.mark.slow
def test_a_database_beyond_its_lock_page_is_copied(tmp_path: Path) -> None:
    """Lost: every database of more than a gigabyte."""
    if shutil.disk_usage(tmp_path).free < 8 << 30:
        pytest.skip("needs room")
    path = make(tmp_path / "till.db")
    with connected(path) as connection:
        connection.execute("PRAGMA journal_mode = off; PRAGMA synchronous = off")
        for _ in range(22):
            connection.execute("INSERT INTO movement (note) VALUES (zeroblob(50000000))")

    class Comparing(FakeTree):
        def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
            with path.open("rb") as file:
                while piece := stream.read(1 << 20):
                    assert piece == file.read(len(piece))
                assert file.read(1) == b""
                assert file.tell() > LOCK_BYTE + 4096

    capture(path, Comparing())
