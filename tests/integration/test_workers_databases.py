"""Both workers and a PostgreSQL database: what was in it comes back under a new name."""

import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest

from common.messages import BackupCompleted, RestoreCompleted, RestoreStarted, RunRestore, uuid7
from integration.mishaps import held_up, lease_over
from integration.station import Station, fill
from standalone.postgres import BACKUP_ROLE, Cluster

COMPONENT = """
[components.files]
kind = "files"
paths = ["{source}"]
[components.shop]
kind = "postgres"
dsn = "{dsn}"
"""


@pytest.fixture
async def shop(station: Station, postgres_server: Cluster) -> AsyncIterator[str]:
    """A database with something in it, configured at the station; gives its name."""
    name, copy = f"shop_{station.name}", f"shop_{station.name}_copy"
    postgres_server.create_database(name)
    postgres_server.sql(
        "CREATE TABLE sales AS SELECT n, md5(n::text) AS what FROM generate_series(1, 5000) n;",
        database=name,
    )
    fill(station.source, 1)
    dsn = postgres_server.url(BACKUP_ROLE, name)
    station.configure(COMPONENT.format(source=station.source, dsn=dsn))
    yield name
    postgres_server.drop_database(name)
    postgres_server.drop_database(copy)


async def backed_up(station: Station, shop: str) -> RunRestore:
    """A restore of a fresh backup into a new database."""
    station.begin_repository()
    station.writer()
    command = station.backup()
    await station.send(command)
    backup = await station.event(BackupCompleted, 60, backup_id=command.backup_id)
    return RunRestore(
        restore_id=str(uuid7()),
        backup_id=backup.backup_id,
        snapshot_id=backup.snapshot_id,
        station=station.name,
        target="drill",
        databases={"shop": f"{shop}_copy"},
    )


async def rows(postgres_server: Cluster, database: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(postgres_server.url(BACKUP_ROLE, database))
    try:
        return [tuple(row) for row in await connection.fetch("SELECT * FROM sales ORDER BY n")]
    finally:
        await connection.close()


async def test_a_database_comes_back(station: Station, shop: str, postgres_server: Cluster) -> None:
    """The rows of the shop are what the whole backup is for."""
    command = await backed_up(station, shop)
    station.reader()
    await station.send(command)
    done = await station.event(RestoreCompleted, 60, restore_id=command.restore_id)
    assert {component.name for component in done.components} == {"files", "shop"}
    copied = await rows(postgres_server, f"{shop}_copy")
    assert len(copied) == 5000
    assert copied == await rows(postgres_server, shop)
    assert [path.name for path in (station.restores / "drill").iterdir()] == ["files"]


async def test_killed_when_the_database_had_its_name(
    station: Station, shop: str, postgres_server: Cluster
) -> None:
    """The next attempt must neither fail at the database that it made nor drop it."""
    command = await backed_up(station, shop)
    first = station.reader()
    async with held_up(station, "restore_worker", "restores") as reached:
        await station.send(command)
        await reached()
        first.signal(signal.SIGKILL)
    await lease_over(station, "restore_worker", first.process.pid)
    station.reader()
    await station.event(RestoreCompleted, 60, restore_id=command.restore_id)
    assert [event.attempt for event in station.events(RestoreStarted)] == [1, 2]
    assert len(await rows(postgres_server, f"{shop}_copy")) == 5000
    assert [path.name for path in station.restores.iterdir()] == ["drill"]
