"""The postgres component against a real server: everything goes in, everything comes back."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.components.component import Target
from common.errors import CaptureFailed, Conflict, Invalid, NotFound, RestoreFailed
from common.repository.entry import Entry
from fake_tree import FakeTree
from integration.postgres_database import (
    EVERYTHING,
    Server,
    Session,
    capture,
    component,
    content,
    restore,
    schema,
)
from standalone.postgres import Cluster

SETTINGS = r"""
ALTER DATABASE original SET search_path = "$user", shop, "Odd ""name"" $1;--";
ALTER DATABASE original SET app.secret = 'it''s; secret';
ALTER DATABASE original SET work_mem = '9MB';
ALTER ROLE shop_reader IN DATABASE original SET statement_timeout = '7s';
COMMENT ON DATABASE original IS 'the ''first''';
ALTER DATABASE original CONNECTION LIMIT 77;
REVOKE CONNECT ON DATABASE original FROM PUBLIC;
GRANT CONNECT ON DATABASE original TO shop_reader WITH GRANT OPTION;
ALTER DATABASE original OWNER TO shop_owner;
"""


@pytest.fixture(scope="module")
def server(postgres_server: Cluster) -> Iterator[Server]:
    """A server with one database ``original`` that has everything in it."""
    found = Server(postgres_server)
    found.sql("CREATE ROLE shop_owner NOLOGIN; CREATE ROLE shop_reader LOGIN PASSWORD 'reads'")
    found.sql(
        "CREATE DATABASE original TEMPLATE template0 ENCODING 'UTF8'"
        " LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    )
    found.sql(EVERYTHING.read_text(), "original")
    found.sql(SETTINGS)
    before = found.databases() - {"original"}
    yield found
    found.drop(*(found.databases() - before))
    found.sql("DROP ROLE shop_owner; DROP ROLE shop_reader")


@pytest.fixture(scope="module")
def captured(server: Server) -> FakeTree:
    return capture(server.url("original"))


@pytest.fixture
def fresh(server: Server) -> Iterator[Callable[[str], str]]:
    """Names of databases that are removed when the test ends."""
    before = server.databases()
    yield lambda name: name
    server.drop(*(server.databases() - before))


def test_every_object_and_row_comes_back_in_a_new_database(
    server: Server, captured: FakeTree, fresh: object
) -> None:
    """Lost: whatever kind of object the two pictures differ in."""
    name = 'Restored "x" $1; --'
    outcome = restore(server.url("original"), captured, name)
    assert schema(server.url(name)) == schema(server.url("original"))
    pictures = content(server, "original")
    assert content(server, name) == pictures
    assert len(pictures) == 14
    assert outcome.warnings == ()
    assert outcome.details["tables"] == 10
    assert captured.warnings == []


def test_what_is_listed_of_a_database_says_what_it_is_and_no_secret(captured: FakeTree) -> None:
    """Lost: the overview; or a secret setting, to everybody who may list backups."""
    details = dict(captured.details)
    assert details["database"] == "original"
    assert details["encoding"] == "UTF8"
    assert details["collation"] == "C.UTF-8"
    assert details["database_bytes"] > 1 << 20
    assert set(details["extensions"]) == {"pg_trgm", "pgcrypto", "plpgsql"}
    assert details["tables"] == 10
    assert "shop.customer" in details["rows_estimated"]
    assert details["server_version"].startswith(details["pg_dump_version"].partition(".")[0])
    assert "secret" not in json.dumps(details)


def test_a_backup_has_the_roles_and_none_of_their_passwords(
    server: Server, captured: FakeTree
) -> None:
    """Lost: who had which right; or the passwords' hashes, to everybody who opens a backup."""

    def roles(tree: FakeTree) -> str:
        entry = next(entry for entry in tree.taken if entry.path == b"globals.sql")
        return b"".join(tree.stream(entry)).decode()

    assert "CREATE ROLE shop_reader" in roles(captured)
    assert "SCRAM" not in roles(captured)
    with_passwords = capture(server.url("original"), role_passwords=True)
    assert "SCRAM" in roles(with_passwords)


def test_in_place_the_database_is_replaced_in_one_step_under_its_users(
    server: Server, fresh: object
) -> None:
    """Lost: the way back after an accident, while applications are connected."""
    server.sql("CREATE DATABASE live")
    server.sql("CREATE TABLE kept AS SELECT 1 AS x; COMMENT ON DATABASE live IS 'c'", "live")
    tree = capture(server.url("live"))
    server.sql("DROP TABLE kept; CREATE TABLE newer AS SELECT 2 AS y", "live")
    sleeping = "SELECT pg_sleep(600)"
    with Session(server, "live", sleeping) as session:
        outcome = component(server.url("live")).restore(tree, Target(in_place=True))
        assert "terminating connection" in session.end()
    assert server.sql("SELECT x FROM kept", "live") == "1\n"
    assert "newer" not in server.sql("SELECT relname FROM pg_class", "live")
    assert outcome.warnings == ()
    assert not [name for name in server.databases() if name.startswith("strongroom_")]


def test_in_place_a_failure_leaves_the_database_as_it_was(server: Server, fresh: object) -> None:
    """Lost: the current database, for one that does not come."""
    server.sql("CREATE DATABASE live")
    server.sql("CREATE TABLE kept AS SELECT 1 AS x", "live")
    tree = capture(server.url("live"))
    dump = tree.data[b"database.dump"]
    place, piece = dump[-1]
    dump[-1] = (place, piece[: len(piece) // 2])
    with pytest.raises(RestoreFailed, match="pg_restore failed"):
        component(server.url("live")).restore(tree, Target(in_place=True))
    assert server.sql("SELECT x FROM kept", "live") == "1\n"
    assert not [name for name in server.databases() if name.startswith("strongroom_")]


def test_in_place_a_lost_database_is_made_again(server: Server, fresh: object) -> None:
    """Lost: the restore after somebody dropped the database."""
    server.sql("CREATE DATABASE live")
    server.sql("CREATE TABLE kept AS SELECT 1 AS x", "live")
    tree = capture(server.url("live"))
    url = server.url("live")
    server.drop("live")
    component(url).restore(tree, Target(in_place=True))
    assert server.sql("SELECT x FROM kept", "live") == "1\n"


def test_an_existing_database_is_not_overwritten_by_chance(
    server: Server, captured: FakeTree
) -> None:
    """Lost: a database of which somebody mistyped the name."""
    with pytest.raises(Conflict, match="already"):
        restore(server.url("original"), captured, "strongroom")
    for name in ("", "x" * 64, "template1", "a\0b"):
        with pytest.raises(Invalid):
            restore(server.url("original"), captured, name)
    with pytest.raises(NotFound):
        component(server.url("original")).restore(
            captured, Target(database="new"), lambda path: path == b"other"
        )


def test_what_a_dead_restore_left_is_removed_by_the_next(
    server: Server, captured: FakeTree, fresh: object
) -> None:
    """Lost: the second attempt, or the space of the first."""

    class Dying(FakeTree):
        def stream(self, entry: Entry) -> Iterator[bytes]:
            if entry.path == b"database.dump":
                os._exit(9)
            return super().stream(entry)

    child = os.fork()
    if child == 0:
        try:
            captured.__class__ = Dying
            restore(server.url("original"), captured, "again")
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert [name for name in server.databases() if name.startswith("strongroom_restore")]
    restore(server.url("original"), captured, "again")
    assert not [name for name in server.databases() if name.startswith("strongroom_restore")]
    assert "again" in server.databases()


def test_without_a_database_the_files_come_back_for_pg_restore(
    server: Server, captured: FakeTree, tmp_path: Path
) -> None:
    """Lost: the rescue where no server is at hand."""
    outcome = component("").restore(captured, Target(directory=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        "database.json",
        "globals.sql",
        "database.dump",
    }
    assert (tmp_path / "database.dump").read_bytes()[:5] == b"PGDMP"
    assert outcome.entries == 3
    with pytest.raises(Conflict):
        component("").restore(captured, Target(database="new"))
    with pytest.raises(CaptureFailed):
        component("").capture(FakeTree())


def test_a_name_with_an_equals_sign_and_a_database_that_is_read_only(server: Server) -> None:
    """Lost: backups of the one, and restores of the other into a copy."""
    server.sql('CREATE DATABASE "a \'b\\=c"')
    server.sql('ALTER DATABASE "a \'b\\=c" SET default_transaction_read_only = on')
    url = server.url("a 'b\\=c")
    restore(url, capture(url), "equal")
    assert "equal" in server.databases()
