"""The postgres component where something is missing: rights, roles, versions, time, the program."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from common.components import postgres
from common.components.component import Target
from common.components.postgres import tools
from common.errors import CaptureFailed, RestoreFailed
from common.repository.entry import Entry
from fake_tree import FakeTree
from integration.postgres_database import Server, Session, capture, component, restore
from standalone.postgres import Cluster

OLDER = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "p:ass\\w'ord 7&ü"


@pytest.fixture
def server(postgres_server: Cluster) -> Iterator[Server]:
    """A server with a database ``shop`` of two owners; what a test makes is removed."""
    found = Server(postgres_server)
    before = found.databases()
    quoted = PASSWORD.replace("'", "''")
    found.sql(f"CREATE ROLE seller; CREATE ROLE reader LOGIN CREATEDB PASSWORD '{quoted}'")
    found.sql("CREATE DATABASE shop")
    found.sql(
        "GRANT CONNECT ON DATABASE postgres TO reader; GRANT pg_read_all_data TO reader", "postgres"
    )
    found.sql(
        "CREATE SCHEMA sales AUTHORIZATION seller; CREATE TABLE sales.sold AS SELECT 1 AS id;"
        "ALTER TABLE sales.sold OWNER TO seller; GRANT SELECT ON sales.sold TO PUBLIC;"
        "CREATE TABLE large AS SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n",
        "shop",
    )
    yield found
    found.drop(*(found.databases() - before))
    found.sql("REVOKE CONNECT ON DATABASE postgres FROM reader; DROP ROLE reader; DROP ROLE seller")


def reader_url(server: Server, database: str = "shop") -> str:
    return server.url(database, "reader", "")


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return path


def test_an_account_that_may_only_read_backs_up_and_restores_a_copy_of_its_own(
    server: Server, password_file: Path
) -> None:
    """Lost: backups by an account that cannot harm the database."""
    url = reader_url(server)
    tree = capture(url, password_file=password_file)
    outcome = component(url, password_file=password_file).restore(tree, Target(database="copy"))
    assert server.sql("SELECT id FROM sales.sold", "copy") == "1\n"
    owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 'sold'"
    assert server.sql(owner, "copy") == "reader\n"
    assert "owners and privileges were not restored" in outcome.warnings[0]


def test_a_wrong_password_is_told_and_not_shown(server: Server, tmp_path: Path) -> None:
    """Lost: the time to find out; or the password."""
    (tmp_path / "wrong").write_text("hunter2")
    with pytest.raises(CaptureFailed, match="password_file") as caught:
        capture(reader_url(server), password_file=tmp_path / "wrong")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(CaptureFailed, match="cannot be reached"):
        capture("postgresql://nobody@127.0.0.1:9/nothing")
    with pytest.raises(CaptureFailed, match="cannot be reached"):
        capture(server.url("missing"))


class Killing(FakeTree):
    """Kills the program when it has written something."""

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        if entry.path == b"database.dump":
            stream.read(10)
            for child in children():
                os.kill(child, signal.SIGKILL)
        super().add_stream(entry, stream)


def test_a_port_in_the_environment_is_for_other_servers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: backups by a worker whose environment names another server."""
    monkeypatch.setenv("PGPORT", "5999")
    url = server.url("shop")
    assert capture(url.replace("&port=5432", "")).details["tables"] == 2


def children() -> list[int]:
    listed = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [int(pid) for path in listed for pid in path.read_text().split()]
    return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "pg_dump\n"]


def test_a_dump_that_is_killed_is_no_backup(server: Server) -> None:
    """Lost: half of the database, in a backup that is listed as good."""
    tree = Killing()
    with pytest.raises(CaptureFailed, match="pg_dump was killed by signal 9"):
        component(server.url("shop")).capture(tree)
    assert b"database.dump" not in {entry.path for entry in tree.taken}


def test_a_dump_that_nobody_reads_to_its_end_is_stopped(server: Server) -> None:
    """Lost: the server's snapshot and locks, to a program left behind."""

    class Failing(FakeTree):
        def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
            stream.read(1)
            if entry.path == b"database.dump":
                raise KeyError

    with pytest.raises(KeyError):
        component(server.url("shop")).capture(Failing())
    assert children() == []


class Meanwhile(FakeTree):
    """Somebody runs a statement between the counting of the tables and the dump."""

    def __init__(self, server: Server, statement: str) -> None:
        super().__init__()
        self._server, self._statement = server, statement

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        if entry.path == b"database.json":
            self._server.sql(self._statement, "shop")
        super().add_stream(entry, stream)


def test_a_table_made_while_the_backup_runs_is_in_all_of_it_or_in_nothing(server: Server) -> None:
    """Lost: every restore of a database in which a program makes tables all the time."""
    tree = Meanwhile(server, "CREATE TABLE late AS SELECT 1 AS id")
    component(server.url("shop")).capture(tree)
    assert restore(server.url("shop"), tree, "copy").details["tables"] == 2
    assert server.sql("SELECT to_regclass('late') IS NULL", "copy") == "t\n"


def test_a_table_dropped_before_the_dump_has_it_is_told_as_that(server: Server) -> None:
    """Lost: the time to look for somebody who holds a lock."""
    with pytest.raises(CaptureFailed, match="just dropped"):
        component(server.url("shop")).capture(Meanwhile(server, "DROP TABLE large"))


def test_large_objects_need_more_than_an_account_that_reads(
    server: Server, password_file: Path
) -> None:
    """Lost: the time to grant what the account has already."""
    server.sql("SELECT lo_from_bytea(0, 'x')", "shop")
    with pytest.raises(CaptureFailed, match="member of the owners"):
        capture(reader_url(server), password_file=password_file)


def test_a_locked_table_is_waited_for_and_then_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the night, to a transaction that somebody left open."""
    monkeypatch.setattr(postgres, "LOCK_WAIT_MILLISECONDS", 200)
    lock = "BEGIN; LOCK TABLE large; SELECT pg_sleep(600)"
    with (
        Session(server, "shop", lock),
        pytest.raises(CaptureFailed, match="back up at another time"),
    ):
        capture(server.url("shop"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Puts scripts in the place of the client programs, of a version."""

    def install(script: str, major: int = 99) -> None:
        for name in tools.PROGRAMS:
            path = tmp_path / name
            version = f'[ "$1" = --version ] && echo "{name} (PostgreSQL) {major}.1" && exit 0\n'
            path.write_text(f"#!/bin/sh\n{version}{script}\n")
            path.chmod(0o755)
        tools._look.cache_clear()
        monkeypatch.setattr(tools, "_folders", lambda: iter([tmp_path]))

    return install


def test_a_dump_that_fails_at_its_end_is_no_backup_and_shows_no_password(
    server: Server, password_file: Path, programs: Callable[..., None], tmp_path: Path
) -> None:
    """Lost: half of the database, in a backup that is listed as good; or its password."""
    programs(
        f"cat $PGPASSFILE > {tmp_path}/seen; env > {tmp_path}/env; echo $* > {tmp_path}/argv;"
        f" echo dump; sed 's/.*/error: &/; s/[*]:[*]:[*]:[*]://' $PGPASSFILE >&2;"
        f" cat {password_file} >&2; exit 3"
    )
    tree = FakeTree()
    with pytest.raises(CaptureFailed, match="pg_dumpall failed") as caught:
        component(reader_url(server), password_file=password_file).capture(tree)
    assert tree.taken == []
    assert PASSWORD not in str(caught.value)
    assert (tmp_path / "seen").read_text() == "*:*:*:*:p\\:ass\\\\w'ord 7&ü\n"
    for name in ("env", "argv"):
        assert "ord 7" not in (tmp_path / name).read_text()


def test_a_server_newer_than_the_programs_is_told_before_anything_is_read(
    server: Server, programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the reason, behind an error of pg_dump."""
    programs("exit 0", 9)
    with pytest.raises(
        CaptureFailed, match=r"newest programs here are of 9\.1.*postgresql-client-17"
    ):
        capture(server.url("shop"))
    monkeypatch.setattr(tools, "_folders", lambda: iter([]))
    with pytest.raises(CaptureFailed, match="are missing"):
        capture(server.url("shop"))


@pytest.fixture
def older() -> Iterator[str]:
    """The address of a server of PostgreSQL 15, with other roles."""
    if not (OLDER / "initdb").exists() or os.geteuid() != 0:
        pytest.skip("PostgreSQL 15 is not installed")
    with tempfile.TemporaryDirectory(prefix="strongroom-test-") as name:
        folder = Path(name)
        os.chown(folder, 65534, 65534)

        def tool(program: str, *arguments: str) -> None:
            command = [str(OLDER / program), "-D", f"{folder}/data", *arguments]
            subprocess.run(
                command, check=True, user=65534, group=65534, cwd="/", stdout=subprocess.DEVNULL
            )

        tool("initdb", "-U", "boss", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        tool("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://boss@/shop?host={folder}"
        finally:
            tool("pg_ctl", "-m", "immediate", "stop")


def psql(url: str, script: str) -> str:
    command = [str(OLDER / "psql"), "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", script, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_an_older_server_is_backed_up_and_restored_there_and_on_a_newer_one(
    older: str, server: Server
) -> None:
    """Lost: the databases of every server that is not of the newest version; or a move to one."""
    psql(older.replace("/shop", "/postgres"), "CREATE DATABASE shop")
    psql(
        older,
        "CREATE ROLE clerk LOGIN; CREATE TABLE sold (id int); INSERT INTO sold VALUES (7);"
        "ALTER TABLE sold OWNER TO clerk",
    )
    tree = capture(older)
    assert tree.details["server_version"].startswith("15.")
    assert restore(older, tree, "again").warnings == ()
    assert psql(older.replace("/shop", "/again"), "SELECT id FROM sold") == "7\n"
    outcome = restore(server.url("shop"), tree, "moved")
    try:
        assert server.sql("SELECT id FROM sold", "moved") == "7\n"
        assert "boss, clerk" in outcome.warnings[0]
        assert server.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'clerk'") == "f\n"
        owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 'sold'"
        assert server.sql(owner, "moved") == "clerk\n"
    finally:
        server.drop("moved")
        server.sql("DROP ROLE clerk; DROP ROLE boss")


def test_what_the_server_lacks_is_told_before_anything_is_made(older: str, server: Server) -> None:
    """Lost: the reason, behind an hour of restoring."""
    psql(older.replace("/shop", "/postgres"), "CREATE DATABASE shop")
    tree = capture(older)
    facts = b"".join(tree.stream(tree.taken[1]))
    tree.data[b"database.json"] = [(0, facts.replace(b'"plpgsql"', b'"timescaledb"'))]
    with pytest.raises(RestoreFailed, match=r"timescaledb.*Install"):
        restore(server.url("shop"), tree, "moved")
    assert "moved" not in server.databases()
