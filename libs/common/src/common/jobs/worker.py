"""A worker: takes jobs while it has a free slot, runs them, and hands over what it cannot end."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

from common.bus.transport import Delivery, Transport
from common.consumer import failure_of
from common.db import Connection, Pool, borrowed, is_transient, retrying
from common.errors import Permanent
from common.jobs import store
from common.jobs.job import Job, JobHandler
from common.jobs.lease import Lease
from common.jobs.progress import ProgressTeller
from common.jobs.running import Rules, Running
from common.messages import Command, Envelope, Message, decode, encode, operation_id
from common.observability import metrics
from common.outbox import Context, unit_of_work

_POLL_SECONDS = 1.0
_LONGEST_PAUSE = 5.0
_COMMIT_SECONDS = 10.0
_CLEANUP_SECONDS = 15.0
_PURGE_DAYS = 90

log = structlog.stdlib.get_logger(__name__)


class Jobs:
    """Runs the commands of ``queues`` as jobs, at most ``slots`` at a time."""

    def __init__(  # noqa: PLR0913 - a worker's whole configuration, by name
        self,
        *,
        name: str,
        pool: Pool,
        transport: Transport,
        wake: asyncio.Event,
        queues: Sequence[str],
        handlers: Mapping[type[Command], JobHandler[Any]],
        slots: int,
        lease: float,
        id_of: Callable[[Message], str] = operation_id,
        rules: Rules | None = None,
    ) -> None:
        self._name = name
        self._pool = pool
        self._transport = transport
        self._wake = wake
        self._queues = list(queues)
        self._handlers = dict(handlers)
        self._slots = slots
        self._lease = lease
        self._id_of = id_of
        self._rules = rules or Rules()
        self.worker = f"{name}@{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._running: dict[asyncio.Task[str], Running] = {}
        self._draining = asyncio.Event()
        self._changed = asyncio.Event()
        self._taking: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """How many jobs are at work here."""
        return len(self._running)

    async def start(self) -> None:
        """Make the queues and begin to take jobs."""
        for queue in self._queues:
            await self._transport.declare(queue)
        self._taking = asyncio.create_task(self._intake())
        self._listening = asyncio.create_task(self._listen())

    async def drain(self, grace: float) -> None:
        """Take nothing more, let jobs end for ``grace`` seconds, hand the others over."""
        self._draining.set()
        self._changed.set()
        if self._taking is not None:
            # A command that is just being taken is taken to the end.
            await asyncio.wait({self._taking}, timeout=_POLL_SECONDS * 3)
            self._taking.cancel()
        if self._running:
            log.info("draining", jobs=len(self._running), grace=grace)
            await asyncio.wait(set(self._running), timeout=grace)
            await self._hand_over()
        if self._listening is not None:
            self._listening.cancel()

    async def _hand_over(self) -> None:
        """Stop what still runs; what is just being committed gets the time for it."""
        committing = {task for task, run in self._running.items() if run.job.lease.holding}
        for task, run in self._running.items():
            if task not in committing:
                run.hand_over()
        if committing:
            await asyncio.wait(committing, timeout=_COMMIT_SECONDS)
        for run in self._running.values():
            run.hand_over()
        if self._running:
            await asyncio.wait(set(self._running), timeout=_CLEANUP_SECONDS)

    async def cancel(self, context: Context, job_id: str) -> bool:
        """Ask for the job to stop, in the caller's transaction; False if it has ended already.

        A running one is stopped by whoever runs it, a waiting one ends here and now, and one whose
        command is still on its way will never start.
        """
        taken = await store.request_cancel(context.conn, job_id)
        if taken is None:
            return False
        if taken.was == "waiting":
            await store.end(context.conn, job_id, "cancelled")
            job = self._job(decode(taken.envelope.encode()), taken)
            await self._handler(job.envelope).cancelled(context, job)
        return True

    async def measure(self) -> None:
        """Bring the metrics up to date."""
        async with unit_of_work(self._pool, self._name) as context:
            count = await store.waiting(context.conn, self._queues)
        metrics.JOBS_WAITING.labels(self._name).set(count)
        for queue in self._queues:
            depth = await self._transport.depth(queue)
            metrics.QUEUE_DEPTH.labels(self._name, queue).set(depth)

    async def _listen(self) -> None:
        """Pass on at once what was notified: a cancel, perhaps of one of ours."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for run in self._running.values():
                run.job.lease.nudge()

    async def _intake(self) -> None:
        pause = 0.0
        while await self._free_slot():
            try:
                await self._take()
                pause = 0.0
            except Exception as error:
                if is_transient(error):
                    log.info("taking jobs waits", error=type(error).__name__)
                else:
                    log.exception("taking a job failed")
                pause = min(max(pause * 2, 0.2), _LONGEST_PAUSE)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._draining.wait()

    async def _free_slot(self) -> bool:
        """Wait for a free slot; False when draining."""
        while not self._draining.is_set() and len(self._running) >= self._slots:
            self._changed.clear()
            await self._changed.wait()
        return not self._draining.is_set()

    async def _take(self) -> None:
        """Take over what waits in the database, else the next command from the bus."""
        # One statement, one transaction: a worker that freezes here leaves no lock to its heir.
        async with borrowed(self._pool) as connection:
            taken = await store.claim(connection, self._queues, self.worker, self._lease)
        if taken is not None:
            await self._resume(taken)
            return
        for queue in self._queues:
            delivery = await self._transport.take(queue, _POLL_SECONDS / len(self._queues))
            if delivery is None:
                continue
            if self._draining.is_set():
                await delivery.release()
            else:
                await self._accept(queue, delivery)
            return

    async def _resume(self, taken: store.Taken) -> None:
        if taken.was == "running":
            metrics.LEASE_TAKEOVERS.labels(self._name).inc()
            log.warning("job taken over", job=taken.id, silent=taken.previous_worker)
        try:
            job = self._job(decode(taken.envelope.encode()), taken)
            handler = self._handler(job.envelope)
        except Permanent as error:
            log.error("job cannot be read", job=taken.id, code=error.code)  # noqa: TRY400 - no traceback is needed
            async with Lease(self._pool, taken.id, taken.fence, self._lease).fenced("failed"):
                return
        too_often = taken.attempt > self._rules.max_attempts and not taken.cancel_requested
        running = Running(job, handler, self._pool, self._rules)
        self._start(running, running.give_up(taken.reason) if too_often else running.run())

    async def _accept(self, queue: str, delivery: Delivery) -> None:
        """Record a command as running here, then acknowledge it, then start; or refuse it."""
        envelope = delivery.envelope
        try:
            job = await self._record(queue, envelope)
        except Permanent as error:
            await delivery.dead(f"{error.code}: {error.message}")
            return
        except Exception as error:
            failure = failure_of(error)
            await delivery.retry(f"{failure.code}: {failure.message}")
            raise
        await delivery.ack()
        if job is not None:
            running = Running(job, self._handler(envelope), self._pool, self._rules)
            self._start(running, running.run())

    async def _record(self, queue: str, envelope: Envelope) -> Job[Any] | None:
        """The new job; None for a duplicate, or for one that was cancelled before it came."""
        handler, id_ = self._handler(envelope), self._id_of(envelope.data)
        if not id_:
            raise Permanent(f"{envelope.type} names no operation.")
        text, worker, lease = encode(envelope).decode(), self.worker, self._lease
        actor = envelope.actor
        new = store.Taken(id_, text, 1, 1, cancel_requested=False, was="")
        # By itself too: a twin of the command would wait for a row that nobody has committed.
        async with borrowed(self._pool) as conn:
            if await store.begin(conn, id_, queue, envelope.type, text, worker, lease):
                return self._job(envelope, new)
        async with unit_of_work(self._pool, self._name, actor=actor, envelope=envelope) as work:
            if await store.fill_cancelled(work.conn, id_, queue, envelope.type, text):
                await handler.cancelled(work, self._job(envelope, new))
            else:
                log.info("command came again", job=id_)
        return None

    def _handler(self, envelope: Envelope) -> JobHandler[Any]:
        for type_, handler in self._handlers.items():
            if type(envelope.data) is type_:
                return handler
        raise Permanent(f"{self._name} does not run {envelope.type}.")

    def _job(self, envelope: Envelope, taken: store.Taken) -> Job[Any]:
        lease = Lease(self._pool, taken.id, taken.fence, self._lease)
        if taken.cancel_requested:
            lease.cancelled.set()
        return Job(
            id_=taken.id,
            message=envelope.data,
            envelope=envelope,
            source=self._name,
            worker=self.worker,
            attempt=taken.attempt,
            fence=taken.fence,
            lease=lease,
            teller=ProgressTeller(self._transport, self._name, envelope.actor),
        )

    def _start(self, running: Running, work: Coroutine[Any, Any, str]) -> None:
        task = asyncio.create_task(work)
        self._running[task] = running
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[str]) -> None:
        running = self._running.pop(task)
        running.job.close()
        self._changed.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("job task failed", job=running.job.id, exc_info=task.exception())


async def purge(pool: Pool) -> None:
    """Forget jobs that ended long ago."""

    async def work(connection: Connection) -> None:
        await store.purge(connection, _PURGE_DAYS)

    await retrying(pool, work)
