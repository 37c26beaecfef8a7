"""What a bad day does to a backup: killed, stopped, cut off, cancelled. Nothing may be lost."""

import asyncio
import contextlib
import signal

import pytest

from common.messages import BackupCancelled, BackupCompleted, BackupStarted, CancelBackup
from integration.mishaps import finished_once, held_up, in_the_middle, lease_over, running
from integration.rabbitmq_node import Broker
from integration.station import Station, fill
from standalone.postgres import Cluster

pytestmark = pytest.mark.slow

GIGABYTE = 1024
SHORT = "10"
"""A lease that runs out by itself while a test waits."""


async def test_a_killed_worker_is_succeeded(station: Station) -> None:
    """Power fails, memory runs out: the other worker must end the backup, and end it cleanly."""
    station.begin_repository()
    fill(station.source, GIGABYTE)
    first = station.writer()
    command = station.backup()
    await station.send(command)
    child = await in_the_middle(station, first, command, of=8)
    with first.paused(child):
        station.writer()
        first.signal(signal.SIGKILL)
    await lease_over(station, "backup_worker", first.process.pid, child)
    completed = await finished_once(station, command, GIGABYTE)
    assert completed.counter == 1
    attempts = [event.attempt for event in station.events(BackupStarted)]
    assert attempts == [1, 2]
    report = await asyncio.to_thread(station.open().check, read_data=True)
    assert report.findings == ()


async def test_an_adopted_snapshot_is_not_written_twice(station: Station) -> None:
    """Killed between the snapshot and its record, a backup must be found again, not made again."""
    station.begin_repository()
    fill(station.source, 16)
    first = station.writer()
    command = station.backup()
    async with held_up(station) as reached:
        await station.send(command)
        await reached()
        (snapshot,) = (station.repository / "snapshots").iterdir()
        child = await first.child()
        first.signal(signal.SIGKILL)
    await lease_over(station, "backup_worker", first.process.pid, child)
    station.writer()
    completed = await finished_once(station, command, 16)
    assert (completed.snapshot_id, completed.counter) == (snapshot.name, 1)


async def test_a_connection_that_breaks_in_the_commit(station: Station) -> None:
    """The work of hours is done and the snapshot stands: it must be recorded, not made again."""
    station.begin_repository()
    fill(station.source, 16)
    worker = station.writer()
    command = station.backup()
    async with held_up(station) as reached:
        await station.send(command)
        await reached()
        (snapshot,) = (station.repository / "snapshots").iterdir()
        child = await worker.child()
    await lease_over(station, "backup_worker", child)
    completed = await finished_once(station, command, 16)
    assert completed.snapshot_id == snapshot.name
    assert worker.process.poll() is None


async def test_a_sleeper_cannot_commit(station: Station) -> None:
    """A worker that wakes up after its job was taken over must not record it a second time."""
    station.begin_repository()
    fill(station.source, 16)
    first = station.writer(STRONGROOM_LEASE_SECONDS=SHORT)
    command = station.backup()
    async with held_up(station) as reached:
        await station.send(command)
        await reached()
        assert len(list((station.repository / "snapshots").iterdir())) == 1
        first.signal(signal.SIGSTOP)
    second = station.writer()
    completed = await finished_once(station, command, 16)
    first.signal(signal.SIGCONT)
    second.end()
    another = station.backup()
    await station.send(another)
    # The sleeper is awake and well: it takes the next job.
    after = await station.event(BackupCompleted, 60, backup_id=another.backup_id)
    assert (completed.counter, after.counter) == (1, 2)
    assert len(station.events(BackupCompleted, backup_id=command.backup_id)) == 1


async def test_a_stopped_worker_is_succeeded(station: Station) -> None:
    """A frozen container's child must not write on under a lease that somebody else holds."""
    station.begin_repository()
    fill(station.source, 256)
    first = station.writer(
        STRONGROOM_LEASE_SECONDS=SHORT,
        BACKUP_COMPRESSION_TYPE="gzip",
        BACKUP_COMPRESSION_LEVEL="9",
    )
    command = station.backup()
    await station.send(command)
    child = await in_the_middle(station, first, command, of=1)
    with first.paused(child):
        first.signal(signal.SIGSTOP)
    station.writer()
    await station.event(BackupStarted, 60, backup_id=command.backup_id, count=2)
    assert not running(child)
    await finished_once(station, command, 256)
    first.signal(signal.SIGCONT)
    await asyncio.sleep(2)
    assert first.process.poll() is None
    assert len(station.events(BackupCompleted, backup_id=command.backup_id)) == 1


async def test_a_cancelled_backup_leaves_nothing(station: Station) -> None:
    """What was cancelled must not turn up as a backup, nor fill the disk."""
    station.begin_repository()
    fill(station.source, 256)
    worker = station.writer(BACKUP_COMPRESSION_TYPE="gzip", BACKUP_COMPRESSION_LEVEL="9")
    command = station.backup()
    await station.send(command)
    child = await in_the_middle(station, worker, command, of=1)
    asked = "SELECT 1 FROM jobs WHERE id = $1 AND cancel_requested"
    with worker.paused(child):
        await station.send(CancelBackup(backup_id=command.backup_id))
        async with asyncio.timeout(60):
            while not await station.rows("backup_worker", asked, command.backup_id):
                await asyncio.sleep(0.02)
    await station.event(BackupCancelled, 60, backup_id=command.backup_id)
    assert not running(child)
    assert station.open().snapshots() == []
    assert station.litter() == []
    assert station.events(BackupCompleted) == []


@pytest.mark.parametrize("grace", ["100", "1"])
async def test_sigterm_ends_or_hands_over(station: Station, grace: str) -> None:
    """A rolling update must neither wait for ever nor lose the backup that runs."""
    station.begin_repository()
    fill(station.source, 256)
    first = station.writer(SHUTDOWN_GRACE_SECONDS=grace, BACKUP_COMPRESSION_TYPE="none")
    command = station.backup()
    await station.send(command)
    child = await in_the_middle(station, first, command, of=1)
    patient = grace == "100"
    with first.paused(child) if not patient else contextlib.nullcontext():
        second = None if patient else station.writer()
        first.signal(signal.SIGTERM)
        assert await first.ended(120) == 0
    await finished_once(station, command, 256)
    workers = {event.worker for event in station.events(BackupStarted)}
    assert len(workers) == (1 if patient else 2)
    assert {event.attempt for event in station.events(BackupStarted)} == {1}
    assert second is None or second.process.poll() is None


async def test_the_database_restarts_in_the_middle(
    station: Station, postgres_server: Cluster
) -> None:
    """The work of hours must not be lost because its record could not be written for a moment."""
    station.begin_repository()
    fill(station.source, 64)
    worker = station.writer()
    command = station.backup()
    await station.send(command)
    child = await in_the_middle(station, worker, command, of=1)
    with worker.paused(child):
        postgres_server.stop()
    await asyncio.sleep(2)
    postgres_server.start(180)
    await finished_once(station, command, 64)
    assert [event.attempt for event in station.events(BackupStarted)] == [1]


async def test_the_broker_restarts_and_is_impatient(station: Station, rabbitmq: Broker) -> None:
    """No job may depend on a connection, nor last only as long as an unacknowledged delivery."""
    if not rabbitmq.ours:
        pytest.skip("the broker is not ours to restart")
    station.begin_repository()
    fill(station.source, 64)
    worker = station.writer()
    first, second = station.backup(), station.backup(plan="another")
    await station.send(first)
    child = await in_the_middle(station, worker, first, of=1)
    with worker.paused(child):
        await asyncio.to_thread(rabbitmq.stop, kill=True)
    await asyncio.to_thread(rabbitmq.start, consumer_timeout=2.0)
    try:
        await station.event(BackupCompleted, 60, backup_id=first.backup_id)
        await station.send(second)
        await station.event(BackupStarted, 60, backup_id=second.backup_id)
        with worker.paused(await worker.child()):
            await asyncio.sleep(6)
        await station.event(BackupCompleted, 60, backup_id=second.backup_id)
    finally:
        await asyncio.to_thread(rabbitmq.stop)
        await asyncio.to_thread(rabbitmq.start, consumer_timeout=1800.0)
    assert [event.attempt for event in station.events(BackupStarted)] == [1, 1]
    assert len(station.events(BackupCompleted)) == 2
    assert len(station.open().snapshots()) == 2
    assert station.litter() == []
