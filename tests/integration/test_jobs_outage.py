"""Jobs while their database restarts, freezes or loses a connection."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.jobs import Job
from common.messages import RunBackup
from integration.workers import Recorder, Works, until
from standalone.postgres import Cluster

LONG = 3600.0
"""A lease that does not run out here."""
COMMAND_LIMIT = 25.0
"""Less than a command to the database may take."""


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A server of this module's own, to be harmed."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-outage-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "home", shelter=folder / "shelter", create_account=False)
    try:
        cluster.start(180)
        cluster.create_database("outage")
        yield cluster
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def works(server: Cluster, tmp_path: Path) -> AsyncIterator[Works]:
    works = Works(SecretStr(server.url("backup_worker", "outage")), tmp_path)
    await works.bus.start()
    yield works
    await works.bus.close()


def kill(server: Cluster) -> None:
    """The server dies with all its connections, as in a crash."""
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(60)
    server.stop()


async def test_an_outage_shorter_than_the_lease_is_survived(works: Works, server: Cluster) -> None:
    """A restart of the database must not throw away hours of a running backup."""
    handler = Recorder()
    async with works.worker(handler, lease=90):
        id_ = await works.send()
        job = await handler.next()
        kill(server)
        job.lease.nudge()  # a heartbeat that fails
        await asyncio.sleep(2)
        handler.go.set()  # it even tries to commit while the database is away
        await asyncio.sleep(1)
        server.start(180)
        await until(lambda: works.told("backup.started", id_))
        assert not job.lost.is_set()
    rows = await works.fetch("SELECT attempt, fence FROM effects WHERE job = $1", id_)
    assert [tuple(row) for row in rows] == [(1, 1)]


async def test_an_outage_longer_than_the_lease_stops_the_job(works: Works, server: Cluster) -> None:
    """By then another worker may be at work: this one must stop by itself and never commit."""
    handler = Recorder()
    async with works.worker(handler, lease=5):
        id_ = await works.send()
        job = await handler.next()
        works.jobs[0]._lease = LONG
        kill(server)
        await until(job.lost.is_set)
        await until(lambda: ("stopped", id_) in handler.log)
        server.start(180)
        handler.go.set()
        await until(lambda: works.told("backup.started", id_))
    rows = await works.fetch("SELECT attempt, fence FROM effects WHERE job = $1", id_)
    assert [tuple(row) for row in rows] == [(2, 2)]


async def test_a_frozen_database_cannot_delay_the_verdict(works: Works, server: Cluster) -> None:
    """A database that neither answers nor refuses must not keep a job alive past its lease."""
    handler = Recorder()
    async with works.worker(handler, lease=5):
        await works.send()
        job = await handler.next()
        works.jobs[0]._lease = LONG
        with frozen(server.process.pid):
            await until(job.lost.is_set, COMMAND_LIMIT)
            await until(lambda: ("stopped", job.id) in handler.log)
        handler.go.set()
        await until(lambda: works.told("backup.started", job.id))
    assert await works.effects(job.id) == 1


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A server and its own processes stand still; the server first, which could start more."""
    os.kill(pid, signal.SIGSTOP)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    group = [pid, *map(int, children)]
    try:
        for each in group:
            os.kill(each, signal.SIGSTOP)
        yield
    finally:
        for each in group:
            os.kill(each, signal.SIGCONT)


class Slow(Recorder):
    """Holds its last transaction open until it is let go."""

    async def run(self, job: Job[RunBackup]) -> None:
        self.log.append(("run", job.id))
        async with job.commit() as context:
            self.started.put_nowait(job)
            await self.go.wait()
            await context.conn.execute("INSERT INTO effects VALUES ($1, 0, 0)", job.id)


async def test_a_commit_may_take_longer_than_a_heartbeat_and_cannot_be_overtaken(
    works: Works,
) -> None:
    """The last step of a backup writes the snapshot: nobody may take over in the middle."""
    slow, other = Slow(), Recorder(waits=False)
    async with works.worker(slow, lease=12):
        id_ = await works.send()
        await slow.next()
        async with works.worker(other):
            await asyncio.sleep(5)
            slow.go.set()
            await until(lambda: not works.jobs[0].running)
    assert other.log == []
    assert await works.effects(id_) == 1


async def test_a_connection_lost_in_the_commit_loses_the_lease(
    works: Works, server: Cluster
) -> None:
    """The row's lock is gone with the connection, so the job may already be somebody else's."""
    slow = Slow()
    async with works.worker(slow, lease=LONG):
        id_ = await works.send()
        job = await slow.next()
        server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in%'",
            database="outage",
        )
        await until(job.lost.is_set)
        await works.fetch("UPDATE jobs SET lease_expires_at = now() WHERE id = $1", id_)
        slow.go.set()
        await until(lambda: slow.log.count(("run", id_)) == 2)
        await until(lambda: not works.jobs[0].running)
    assert await works.effects(id_) == 1
