"""Moments at which something goes wrong, and what must be true afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from common.messages import BackupCompleted, BackupStarted, RunBackup
from integration.station import Station, Worker

_LOCK = 4711
_HOLD = """
CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
CREATE TRIGGER hold_up BEFORE UPDATE ON {table}
    FOR EACH ROW WHEN (NEW.status = 'completed') EXECUTE FUNCTION hold_up();
"""
_LET_GO = "DROP TRIGGER hold_up ON {table}; DROP FUNCTION hold_up()"
_HELD = "SELECT count(*) FROM pg_locks WHERE objid = 4711 AND NOT granted"
_CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""


@asynccontextmanager
async def held_up(
    station: Station, role: str = "backup_worker", table: str = "backups"
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """No end of a job can be recorded; gives a wait for the first that is about to be.

    At the end the connections of all workers are cut.
    """
    async with station.connection(role) as connection, asyncio.timeout(120):
        while await connection.fetchval("SELECT to_regclass($1)", table) is None:
            await asyncio.sleep(0.05)  # the first worker is still making its tables
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_HOLD.format(table=table))

        async def reached() -> None:
            while not await connection.fetchval(_HELD):
                await asyncio.sleep(0.05)

        try:
            yield reached
        finally:
            await connection.execute(_CUT_OFF)
            await connection.execute(_LET_GO.format(table=table))


def running(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def lease_over(station: Station, role: str, *pids: int) -> None:
    """The lease of the job has run out, and before that the processes at work on it have ended."""
    async with asyncio.timeout(60):
        while any(map(running, pids)):
            await asyncio.sleep(0.02)
    async with station.connection(role) as connection:
        await connection.execute("UPDATE jobs SET lease_expires_at = now() WHERE state = 'running'")


async def in_the_middle(station: Station, worker: Worker, command: RunBackup, *, of: int) -> int:
    """The process of the job, stopped by no one yet, with ``of`` packs behind it."""
    await station.event(BackupStarted, 60, backup_id=command.backup_id)
    child = await worker.child()
    deadline = time.monotonic() + 60
    while len(list((station.repository / "packs").rglob("?" * 64))) < of:
        assert time.monotonic() < deadline, worker.words()
        await asyncio.sleep(0.02)
    return child


async def finished_once(station: Station, command: RunBackup, mebibytes: int) -> BackupCompleted:
    """One snapshot, one record, nothing left over, and every byte of it can be read."""
    completed = await station.event(BackupCompleted, 200, backup_id=command.backup_id)
    (info,) = station.open().snapshots()
    assert info.id == completed.snapshot_id
    assert completed.size_bytes == mebibytes * 2**20
    assert station.litter() == []
    report = await asyncio.to_thread(station.open().check, read_data=False)
    assert report.findings == ()
    rows = await station.rows(
        "backup_worker",
        "SELECT status, snapshot_id FROM backups WHERE backup_id = $1",
        command.backup_id,
    )
    assert rows == [("completed", info.id)]
    assert len(station.events(BackupCompleted, backup_id=command.backup_id)) == 1
    return completed
