"""Jobs on a real database: the rarer turns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asyncpg import LockNotAvailableError
from prometheus_client import REGISTRY
from pydantic import SecretStr

from common.errors import NoSpace
from common.jobs import Job, store
from common.messages import RunBackup, RunRestore, seal, uuid7
from integration.workers import QUEUE, Recorder, Works, until


@pytest.fixture
async def works(database_url: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Works]:
    works = Works(SecretStr(database_url("backup_worker")), tmp_path)
    await works.bus.start()
    yield works
    await works.bus.close()


class Stages(Recorder):
    """Notes its stages in transactions of their own, the first of them slow, and may end so."""

    def __init__(self, *, seconds: int = 0, commits: bool = True) -> None:
        super().__init__(waits=False)
        self.seconds = seconds
        self.commits = commits

    async def run(self, job: Job[RunBackup]) -> None:
        self.log.append(("run", job.id))
        async with job.transaction() as context:
            await context.conn.execute("INSERT INTO effects VALUES ($1, 0, 0)", job.id)
            for _ in range(self.seconds):
                await context.conn.execute("SELECT pg_sleep(1)")
        if self.commits:
            async with job.commit() as context:
                await context.conn.execute("INSERT INTO effects VALUES ($1, 0, 0)", job.id)


async def test_a_stage_may_take_longer_than_the_lease(works: Works) -> None:
    """Its row lock keeps others away, and it must not lose the job at its end."""
    handler = Stages(seconds=7)
    async with works.worker(handler, lease=6), works.worker(handler, lease=6):
        id_ = await works.send()
        await until(lambda: works.effects(id_))
        await until(partial(is_state, works, id_, "succeeded"))
    assert handler.log == [("run", id_)]
    assert await works.effects(id_) == 2


async def is_state(works: Works, id_: str, state: str) -> bool:
    return await works.state(id_) == state


async def test_a_job_that_has_nothing_to_commit_succeeds(works: Works) -> None:
    """A handler that forgets the last step must not run again and again."""
    async with works.worker(Stages(commits=False)):
        id_ = await works.send()
        await until(partial(is_state, works, id_, "succeeded"))


async def test_a_job_that_waits_for_its_next_attempt_is_cancelled_at_once(works: Works) -> None:
    """Nobody runs it, so nobody would see the flag."""
    handler = Recorder(waits=False)
    handler.errors = [OSError()]
    async with works.worker(handler):
        id_ = await works.send()
        await until(partial(is_state, works, id_, "waiting"))
        await works.fetch("UPDATE jobs SET retry_at = now() + interval '1 h' WHERE id = $1", id_)
        await works.cancel(id_)
        await until(lambda: works.told("backup.cancelled", id_))
    assert await works.state(id_) == "cancelled"
    assert handler.log == [("run", id_), ("cancelled", id_)]


async def test_a_cancel_reaches_a_job_whose_worker_has_died(works: Works) -> None:
    """The heir must end it, not begin it."""
    dead, heir = Recorder(), Recorder()
    async with works.worker(dead):
        id_ = await works.send()
        await dead.next()
        works.jobs[0]._slots = 0
        await works.fetch(
            "UPDATE jobs SET cancel_requested = true, worker = 'gone', fence = 5,"
            " lease_expires_at = now() - interval '1 s' WHERE id = $1",
            id_,
        )
        async with works.worker(heir):
            await until(lambda: works.told("backup.cancelled", id_))
    assert heir.log == [("cancelled", id_)]


async def test_what_was_dated_by_a_clock_that_was_ahead_waits_for_no_year(works: Works) -> None:
    """Lost: a backup that is said to be running until then, and every upload of what it holds."""
    dead, heir = Recorder(), Recorder(waits=False)
    async with works.worker(dead, slots=2):
        running, waiting = await works.send(), await works.send()
        await dead.next()
        await dead.next()
        works.jobs[0]._slots = 0
        await works.fetch(
            "UPDATE jobs SET worker = 'gone', fence = 5, lease_expires_at = now() + interval '1 y'"
        )
        await works.fetch(
            "UPDATE jobs SET state = 'waiting', lease_expires_at = NULL,"
            " retry_at = now() + interval '1 y' WHERE id = $1",
            waiting,
        )
        async with works.worker(heir):
            await until(lambda: works.effects(running))
            await until(lambda: works.effects(waiting))


async def test_a_cancel_during_the_commit_comes_too_late(works: Works) -> None:
    """What is just being committed is either done or not; a cancel must not tear it."""
    handler = Stages()
    handler.run = slow_commit.__get__(handler)  # type: ignore[method-assign]
    async with works.worker(handler):
        id_ = await works.send()
        await handler.next()
        await works.cancel(id_)
        await asyncio.sleep(0.3)
        handler.go.set()
        await until(partial(is_state, works, id_, "succeeded"))
    assert works.told("backup.cancelled", id_) == 0


async def slow_commit(handler: Recorder, job: Job[RunBackup]) -> None:
    handler.go.clear()
    async with job.commit() as context:
        handler.started.put_nowait(job)
        await handler.go.wait()
        await context.conn.execute("INSERT INTO effects VALUES ($1, 0, 0)", job.id)


async def test_what_is_being_committed_at_the_end_of_the_grace_is_let_finish(works: Works) -> None:
    """A snapshot that is being written would otherwise be written again by the next worker."""
    handler = Recorder()
    handler.run = slow_commit.__get__(handler)  # type: ignore[method-assign]
    async with works.worker(handler, grace=0.2):
        id_ = await works.send()
        await handler.next()
        asyncio.get_running_loop().call_later(1.0, handler.go.set)
    assert await works.state(id_) == "succeeded"
    assert await works.effects(id_) == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (RunRestore(restore_id="r", backup_id="b", snapshot_id="s"), "does not run restore.run"),
        (RunBackup(backup_id="", backup_name="n"), "names no operation"),
    ],
)
async def test_a_command_that_cannot_be_a_job_is_kept(
    works: Works, command: RunBackup | RunRestore, reason: str
) -> None:
    """Taken and dropped it would be waited for in vain."""
    async with works.worker(Recorder()):
        await works.bus.publish(seal(command, source="gateway"), queue=QUEUE)
        await until(works.bus.dead_letters)
    (letter,) = await works.bus.dead_letters()
    assert reason in letter.reason


async def test_a_row_that_this_version_cannot_read_does_not_stop_the_others(works: Works) -> None:
    """After a downgrade a newer command stands in the table."""
    handler = Recorder(waits=False)
    async with works.worker(handler) as runtime:
        strange = str(uuid7())
        await runtime.pool.execute(
            "INSERT INTO jobs (id, queue, type, envelope, state) VALUES ($1, $2, 'x', '{}',"
            " 'waiting')",
            strange,
            QUEUE,
        )
        id_ = await works.send()
        await until(lambda: works.told("backup.started", id_))
        await until(partial(is_state, works, strange, "failed"))


class Stubborn(Recorder):
    """Its failure cannot be recorded the first time."""

    tries = 0

    async def failed(self, context, job, failure) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.tries += 1
        if self.tries == 1:
            raise ValueError("a bug in the hook")
        await super().failed(context, job, failure)


async def test_an_end_that_could_not_be_recorded_is_recorded_later(works: Works) -> None:
    """A job without an end would keep its operation running in the console for ever.

    Nor may a full disk, which keeps the record out as well, look like a fault of the worker.
    """
    handler = Stubborn(waits=False)
    handler.errors = [NoSpace("The disk is full.")] * 9
    async with works.worker(handler, lease=3) as runtime:
        id_ = await works.send()
        await until(partial(is_state, works, id_, "waiting"))
        await runtime.pool.execute("UPDATE jobs SET attempt = 2, retry_at = now()")
        await until(lambda: works.told("backup.failed", id_))
    assert handler.tries == 2
    rows = await works.fetch("SELECT reason FROM jobs WHERE id = $1", id_)
    assert "Before, it had failed: no_space: The disk is full." in rows[0]["reason"]


async def test_a_worker_that_freezes_locks_nothing(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heir would wait as long as the server waits for it, instead of the lease."""
    free: dict[str, bool] = {}

    def freezing(name: str) -> None:
        act = getattr(store, name)

        async def frozen(*given: Any, **more: Any) -> Any:
            result = await act(*given, **more)
            if result:
                free[name] = await is_free()
            return result

        monkeypatch.setattr(store, name, frozen)

    async def is_free() -> bool:
        try:
            return bool(await works.fetch("SELECT 1 FROM jobs FOR UPDATE NOWAIT"))
        except LockNotAvailableError:
            return False

    for name in ("begin", "release", "claim", "renew"):
        freezing(name)
    handler = Recorder()
    handler.errors = [OSError()]
    async with works.worker(handler):
        id_ = await works.send()
        await until(partial(is_state, works, id_, "waiting"))
        await works.fetch("UPDATE jobs SET retry_at = now()")
        await handler.next()
        job = await handler.next()
        job.lease.nudge()
        await until(lambda: "renew" in free)
        handler.go.set()
    assert free == {"begin": True, "release": True, "claim": True, "renew": True}


async def test_metrics_say_what_waits(works: Works) -> None:
    """Autoscaling and alerts read them."""
    handler = Recorder()
    async with works.worker(handler) as runtime:
        await works.send()
        await works.send()
        await handler.next()
        await runtime.pool.execute(
            "INSERT INTO jobs (id, queue, state, retry_at) VALUES ($1, $2, 'waiting', 'infinity')",
            str(uuid7()),
            QUEUE,
        )
        await works.jobs[0].measure()
        labels = {"service": "backup-worker"}
        assert REGISTRY.get_sample_value("strongroom_jobs_waiting", labels) == 1
        queued = {**labels, "queue": QUEUE}
        assert REGISTRY.get_sample_value("strongroom_queue_depth", queued) == 1
        running = {**labels, "type": "backup.run"}
        assert REGISTRY.get_sample_value("strongroom_jobs_running", running) == 1
        handler.go.set()
