"""Jobs on a real database: taken once, cancelled for good, handed over, fenced."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from time import monotonic

import pytest
from pydantic import SecretStr

from common.errors import CaptureFailed, LeaseLost, Unavailable
from common.jobs import Job
from common.messages import Envelope, JobProgressed, RunBackup, uuid7
from integration.workers import QUEUE, Recorder, Works, until


@pytest.fixture
async def works(database_url: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Works]:
    works = Works(SecretStr(database_url("backup_worker")), tmp_path)
    await works.bus.start()
    yield works
    await works.bus.close()


async def test_a_command_becomes_one_effect_and_one_event(works: Works) -> None:
    """The plain case: nothing lost between the command, the effect and what is told of it."""
    async with works.worker(Recorder(waits=False)):
        id_ = await works.send()
        await until(lambda: works.told("backup.started", id_))
    assert await works.state(id_) == "succeeded"
    assert await works.effects(id_) == 1


async def test_a_command_delivered_twice_acts_once(works: Works) -> None:
    """At-least-once delivery must not become two backups, at once or later."""
    first, second = Recorder(waits=False), Recorder(waits=False)
    async with works.worker(first, slots=2), works.worker(second, slots=2):
        id_ = await works.send(copies=5)
        await until(lambda: works.told("backup.started", id_))
        await works.send(id_)
        await until(lambda: not works.broker.queues[QUEUE].items)
        await asyncio.sleep(0.3)
    assert len(first.log + second.log) == 1
    assert await works.effects(id_) == 1


async def test_no_command_is_taken_without_a_free_slot(works: Works) -> None:
    """Queue depth is the backlog that autoscaling sees; a hoarding worker would hide it."""
    handler = Recorder()
    async with works.worker(handler, slots=2):
        for _ in range(5):
            await works.send()
        await handler.next()
        await handler.next()
        await asyncio.sleep(0.3)
        assert await works.bus.depth(QUEUE) == 3
        assert works.jobs[0].running == 2
        handler.go.set()
        await until(lambda: len(handler.log) == 5)


async def test_a_waiting_command_that_was_cancelled_never_starts(works: Works) -> None:
    """Somebody stopped a backup; that it had not begun yet must not let it run later."""
    handler = Recorder()
    async with works.worker(handler):
        await works.send()
        running = await handler.next()
        id_ = await works.send()
        await works.cancel(id_)
        await until(lambda: works.state(id_))
        handler.go.set()
        await until(lambda: works.told("backup.cancelled", id_))
        await until(lambda: works.told("backup.started", running.id))
    assert ("run", id_) not in handler.log
    assert await works.state(id_) == "cancelled"


async def test_a_running_job_is_cancelled_at_once(works: Works) -> None:
    """A cancel must not wait for the next heartbeat, and nothing of the job may be committed."""
    handler = Recorder()
    async with works.worker(handler):  # its next heartbeat would be in twenty minutes
        id_ = await works.send()
        await handler.next()
        await works.cancel(id_)
        await until(lambda: works.told("backup.cancelled", id_))
    assert handler.log == [("run", id_), ("stopped", id_), ("cancelled", id_)]
    assert await works.effects(id_) == 0


async def test_a_cancel_after_the_end_changes_nothing(works: Works) -> None:
    """A finished backup must not become a cancelled one."""
    async with works.worker(Recorder(waits=False)):
        id_ = await works.send()
        await until(lambda: works.told("backup.started", id_))
        await works.cancel(id_)
        await asyncio.sleep(0.3)
    assert await works.state(id_) == "succeeded"
    assert works.told("backup.cancelled", id_) == 0


async def test_a_permanent_error_fails_at_once_and_says_why(works: Works) -> None:
    """Trying again what cannot succeed would only delay the news."""
    handler = Recorder(waits=False)
    handler.errors = [CaptureFailed("The folder is gone.")]
    async with works.worker(handler):
        id_ = await works.send()
        await until(lambda: works.told("backup.failed", id_))
    assert handler.log == [("run", id_), ("failed", "capture_failed")]
    rows = await works.fetch("SELECT state, reason FROM jobs WHERE id = $1", id_)
    assert tuple(rows[0]) == ("failed", "capture_failed: The folder is gone.")


async def test_another_error_is_tried_again_and_then_succeeds(works: Works) -> None:
    """A broker or a disk that is away for a moment must not cost the backup."""
    handler = Recorder(waits=False)
    handler.errors = [Unavailable("Away.")]
    async with works.worker(handler):
        id_ = await works.send()
        await until(lambda: works.state(id_))
        await until(lambda: works.fetch("SELECT 1 FROM jobs WHERE state = 'waiting'"))
        await works.fetch("UPDATE jobs SET retry_at = now() WHERE id = $1", id_)
        await until(lambda: works.told("backup.started", id_))
    assert (await works.fetch("SELECT attempt FROM effects WHERE job = $1", id_))[0][0] == 2


async def test_the_last_attempt_fails_the_job(works: Works) -> None:
    """Without an end an unlucky job would run for ever and nobody would be told."""
    handler = Recorder(waits=False)
    handler.errors = [OSError("password=hunter2")] * 3
    async with works.worker(handler):
        id_ = await works.send()
        for attempt in (1, 2):
            waiting = "SELECT 1 FROM jobs WHERE id = $1 AND state = 'waiting' AND attempt = $2"
            await until(partial(works.fetch, waiting, id_, attempt))
            await works.fetch("UPDATE jobs SET retry_at = now() WHERE id = $1", id_)
        await until(lambda: works.told("backup.failed", id_))
    rows = await works.fetch("SELECT reason FROM jobs WHERE id = $1", id_)
    assert "OSError" in rows[0]["reason"]
    assert "hunter2" not in rows[0]["reason"]


async def test_shutting_down_waits_for_a_job_within_the_grace(works: Works) -> None:
    """A job that is nearly done must not be thrown away by a deployment."""
    handler = Recorder()
    async with works.worker(handler, grace=100):
        id_ = await works.send()
        await handler.next()
        asyncio.get_running_loop().call_later(0.3, handler.go.set)
    assert await works.state(id_) == "succeeded"
    assert works.told("backup.started", id_) == 1


async def test_shutting_down_hands_over_what_takes_longer(works: Works) -> None:
    """After a deployment another worker goes on at once, and the attempt is not held against it."""
    first, second = Recorder(), Recorder(waits=False)
    async with works.worker(first):
        id_ = await works.send()
        await first.next()
    assert await works.state(id_) == "waiting"
    async with works.worker(second):
        await until(lambda: works.told("backup.started", id_))
    rows = await works.fetch("SELECT attempt, fence FROM effects WHERE job = $1", id_)
    assert [tuple(row) for row in rows] == [(1, 2)]


class Zombie(Recorder):
    """Goes on after it was stopped, and tries to commit later."""

    def __init__(self) -> None:
        super().__init__()
        self.result: list[str] = []

    async def run(self, job: Job[RunBackup]) -> None:
        self.started.put_nowait(job)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.result.append("lost" if job.lost.is_set() else "other")
        try:
            async with job.commit() as context:
                await context.conn.execute("INSERT INTO effects VALUES ($1, 0, 0)", job.id)
        except LeaseLost:
            self.result.append("refused")
            raise


async def test_a_worker_that_lost_its_lease_cannot_commit(works: Works) -> None:
    """Two workers on one job: only the one that took it last may leave an effect."""
    zombie, heir = Zombie(), Recorder(waits=False)
    async with works.worker(zombie):
        id_ = await works.send()
        job = await zombie.next()
        # As after a pause of the machine: the row has run out, and somebody else is there.
        await works.fetch("UPDATE jobs SET lease_expires_at = now() - interval '1s'")
        async with works.worker(heir):
            await until(lambda: works.told("backup.started", id_))
            job.lease.nudge()  # as its next heartbeat would
            await until(lambda: zombie.result == ["lost", "refused"])
    rows = await works.fetch("SELECT fence, attempt FROM effects WHERE job = $1", id_)
    assert [tuple(row) for row in rows] == [(2, 2)]


async def test_a_job_whose_workers_always_die_fails(works: Works) -> None:
    """A job that kills its worker must not kill all of them one after another for ever."""
    handler = Recorder(waits=False)
    id_ = str(uuid7())
    await works.send(id_)
    async with works.worker(Recorder()) as runtime:
        await until(lambda: works.fetch("SELECT 1 FROM jobs WHERE id = $1", id_))
        await runtime.pool.execute("UPDATE jobs SET attempt = 3, lease_expires_at = now()")
        async with works.worker(handler):
            await until(lambda: works.told("backup.failed", id_))
    assert handler.log == [("failed", "worker_lost")]


class Talkative(Recorder):
    """Tells its progress all the time, until it is enough."""

    def __init__(self, enough: Callable[[int], bool]) -> None:
        super().__init__()
        self.enough = enough

    async def run(self, job: Job[RunBackup]) -> None:
        for done in count():
            job.progress(
                JobProgressed(operation_id=job.id, kind="backup", phase="reading", done_bytes=done)
            )
            await asyncio.sleep(0.01)
            if self.enough(done):
                break
        async with job.commit() as context:
            await context.conn.execute("SELECT 1")


async def test_progress_is_told_once_a_second_at_most(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chatty job must not flood the bus, and one without a bus must go on."""
    told: list[float] = []
    publish = works.bus.publish

    async def noting(envelope: Envelope, *, queue: str | None = None) -> None:
        await publish(envelope, queue=queue)
        if envelope.type == "job.progressed":
            told.append(monotonic())

    monkeypatch.setattr(works.bus, "publish", noting)
    handler = Talkative(lambda _: len(told) == 3)
    async with works.worker(handler):
        id_ = await works.send()
        await until(partial(is_state, works, id_, "succeeded"))
        assert min(later - earlier for earlier, later in pairwise(told)) > 0.99
        handler.enough = lambda done: done == 50
        other = await works.send()
        works.bus.down = True
        await until(partial(is_state, works, other, "succeeded"))
        works.bus.down = False


async def is_state(works: Works, id_: str, state: str) -> bool:
    return await works.state(id_) == state
