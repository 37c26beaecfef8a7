"""The database module on a real server: waiting, migrations, transactions, notifications."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from common import db
from common.db.pool import close
from common.errors import Conflict, Forbidden, Invalid, Unavailable
from standalone.postgres import Cluster

Url = Callable[[str], str]


@pytest.fixture
async def pool(database_url: Url) -> AsyncIterator[db.Pool]:
    url = SecretStr(database_url("gateway"))
    opened = await db.connect(url, name="gateway", schema="gateway", size=4)
    yield opened
    await close(opened)


def files(folder: Path, **sql: str) -> Path:
    for name, text in sql.items():
        (folder / f"{name.removeprefix('f')}.sql").write_text(text)
    return folder


async def test_a_server_that_is_away_is_named_and_the_password_is_not() -> None:
    """A start that fails must say where to look, and must not write a password into the log."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = SecretStr(f"postgresql://someone:topsecret@127.0.0.1:{port}/shop")
        with pytest.raises(Unavailable) as caught:
            await db.connect(url, name="test", wait=0.3)
    assert f"someone@127.0.0.1:{port}/shop" in str(caught.value)
    assert "topsecret" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_wrong_password_is_not_waited_for(database_url: Url) -> None:
    """Waiting for a password to become right would hide the mistake for half a minute."""
    url = database_url("gateway")
    password = url.split(":")[2].split("@")[0]
    async with asyncio.timeout(60):
        with pytest.raises(Invalid, match="refuses the login") as caught:
            await db.connect(SecretStr(url.replace(password, "wrong")), name="test", wait=600)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense://x:hidden@y", "postgresql://a:hidden@h:port/db"])
async def test_an_unreadable_address_is_not_repeated(url: str) -> None:
    """A mistyped address still holds a password."""
    with pytest.raises(Invalid, match="cannot be read") as caught:
        await db.connect(SecretStr(url), name="gateway", wait=0.2)
    assert "hidden" not in str(caught.value)


async def test_a_server_that_comes_late_is_waited_for(postgres_server: Cluster) -> None:
    """Services and database start together; the service must not give up at once."""
    postgres_server.create_database("late")
    postgres_server.sql("ALTER DATABASE late CONNECTION LIMIT 0", database="postgres")
    late = SecretStr(postgres_server.url("gateway", "late"))
    task = asyncio.create_task(db.connect(late, name="gateway", schema="gateway", wait=120))
    await asyncio.sleep(0.5)
    assert not task.done()
    postgres_server.sql("ALTER DATABASE late CONNECTION LIMIT -1", database="postgres")
    await close(await task)
    postgres_server.drop_database("late")


async def test_json_is_python_on_both_sides(pool: db.Pool) -> None:
    """Every store module relies on it; a string where a dict is expected loses data."""
    value = {"a": [1, 2.5, None, "ü"]}
    assert await pool.fetchval("SELECT $1::jsonb", value) == value
    assert await pool.fetchval("SELECT current_schema()") == "gateway"
    assert await pool.fetchval("SELECT current_setting('application_name')") == "gateway"


async def test_migrations_apply_once_and_in_order(pool: db.Pool, tmp_path: Path) -> None:
    """A migration applied twice or out of order destroys data."""
    folder = files(
        tmp_path,
        f0001_create_thing="CREATE TABLE thing (n int); INSERT INTO thing VALUES (1);",
        f0002_fill_thing="INSERT INTO thing SELECT n + 1 FROM thing;",
    )
    await asyncio.gather(*(db.migrate(pool, ("once", folder)) for _ in range(4)))
    assert [row["n"] for row in await pool.fetch("SELECT n FROM thing ORDER BY n")] == [1, 2]


async def test_a_changed_migration_is_refused(pool: db.Pool, tmp_path: Path) -> None:
    """Two installations with the same migrations must have the same schema."""
    folder = files(tmp_path, f0001_select_one="SELECT 1;")
    await db.migrate(pool, ("changed", folder))
    files(tmp_path, f0001_select_one="SELECT 2;")
    with pytest.raises(Conflict, match=r"0001_select_one\.sql was changed"):
        await db.migrate(pool, ("changed", folder))


async def test_a_failing_migration_leaves_nothing(pool: db.Pool, tmp_path: Path) -> None:
    """Half a migration could be neither repeated nor completed."""
    folder = files(tmp_path, f0001_break_half="CREATE TABLE half (n int); SELECT 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await db.migrate(pool, ("half", folder))
    assert await pool.fetchval("SELECT to_regclass('half')") is None


async def test_a_missing_schema_that_may_not_be_made_is_explained(database_url: Url) -> None:
    """An operator who forgot init.sql must read so, not a permission error."""
    url = SecretStr(database_url("gateway"))
    pool = await db.connect(url, name="gateway", schema="nowhere")
    with pytest.raises(Forbidden, match=r"init\.sql"):
        await db.migrate(pool)
    await close(pool)


async def test_an_exhausted_pool_is_an_error_in_time(database_url: Url) -> None:
    """A request that waits for a connection for ever holds everything behind it."""
    url = SecretStr(database_url("gateway"))
    pool = await db.connect(url, name="gateway", schema="gateway", size=1)
    async with db.transaction(pool):
        with pytest.raises(Unavailable):
            async with db.transaction(pool, wait=0.1):
                pass
    await close(pool)


async def test_a_statement_is_run_again_when_its_connection_is_lost(pool: db.Pool) -> None:
    """What is told only once would stay undone after a restart of the database."""
    lost = list[int]()

    async def work(connection: db.Connection) -> int:
        if not lost:
            lost.append(1)
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return int(await connection.fetchval("SELECT 7"))

    assert await db.retrying(pool, work) == 7
    assert lost


async def test_notifications_survive_a_lost_connection(
    pool: db.Pool, postgres_server: Cluster
) -> None:
    """Without it messages would only move with the slow poll after a database restart."""
    listener = db.Listener(pool)
    first, second = listener.on("gateway_test"), listener.on("gateway_test")
    task = asyncio.create_task(listener.run())
    await asyncio.wait_for(first.wait(), 60)
    await asyncio.wait_for(second.wait(), 60)
    first.clear()
    postgres_server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
        database="postgres",
    )
    await asyncio.wait_for(first.wait(), 60)
    first.clear()
    await pool.execute("SELECT pg_notify('gateway_test', '')")
    await asyncio.wait_for(first.wait(), 60)
    task.cancel()
