"""One job from its start to what is recorded of it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import structlog

from common.consumer import failure_of
from common.db import Connection, Pool, retrying
from common.errors import Cancelled, LeaseLost, Permanent
from common.jobs import store
from common.jobs.job import Job, JobHandler
from common.messages import Failure
from common.observability import bound, metrics, span
from common.outbox import Context

_CLEANUP_SECONDS = 10.0
_RELEASE_ATTEMPTS = 6  # some seconds: a database that restarts

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all jobs of a worker. ``retry_delays`` repeats its last step."""

    max_attempts: int = 3
    retry_delays: tuple[float, ...] = (5.0, 30.0, 120.0)

    def delay(self, attempt: int) -> float:
        """How long to wait after ``attempt`` has failed."""
        return self.retry_delays[min(attempt, len(self.retry_delays)) - 1]


class Running:
    """A job at work here, in a task of its own."""

    def __init__(self, job: Job[Any], handler: JobHandler[Any], pool: Pool, rules: Rules) -> None:
        self.job = job
        self._handler = handler
        self._pool = pool
        self._rules = rules
        self._work: asyncio.Task[None] | None = None
        self._stopped = False

    async def run(self) -> str:
        """Run the handler, keep the lease, record the outcome and return its name."""
        job = self.job
        name = job.envelope.type
        started = time.monotonic()
        with (
            bound(service=job.source, operation_id=job.id),
            span(
                f"job {name}",
                traceparent=job.envelope.traceparent,
                service=job.source,
                operation_id=job.id,
                attempt=job.attempt,
            ),
            metrics.JOBS_RUNNING.labels(job.source, name).track_inprogress(),
        ):
            log.info("job started", type=name, attempt=job.attempt, fence=job.fence)
            keeper = asyncio.create_task(job.lease.keep(self.stop))
            try:
                outcome = await self._outcome()
            finally:
                keeper.cancel()
            seconds = time.monotonic() - started
            log.info("job ended here", type=name, outcome=outcome, seconds=round(seconds, 3))
        metrics.JOBS_ENDED.labels(job.source, name, outcome).inc()
        metrics.JOB_SECONDS.labels(job.source, name, outcome).observe(seconds)
        if outcome == "lost":
            metrics.LEASES_LOST.labels(job.source).inc()
        return outcome

    def stop(self) -> None:
        """Cancel the handler's task, once. The event that says why is set before."""
        if not self._stopped and self._work is not None:
            self._stopped = True
            self._work.cancel()

    def hand_over(self) -> None:
        """Stop for another worker's sake: the job is released as it stands."""
        self.job.draining.set()
        self.stop()

    async def _outcome(self) -> str:
        try:
            error = await self._handle()
            return await self._record(error)
        except LeaseLost:
            return "lost"
        except Exception:
            # The lease runs out, and another attempt is made then.
            log.exception("recording failed")
            return "unrecorded"

    async def _handle(self) -> BaseException | None:
        """Run the handler to its end, or for the time it has to clean up after ``stop``."""
        if self.job.lease.cancelled.is_set():
            return Cancelled()
        self._work = asyncio.create_task(self._handler.run(self.job))
        if self.job.draining.is_set():
            self.stop()
        while not self._work.done():
            stopped = self._stopped
            await asyncio.wait({self._work}, timeout=_CLEANUP_SECONDS if stopped else 1.0)
            if stopped and not self._work.done():
                log.error("job did not stop in time")
                return None
        if self._work.cancelled():
            return asyncio.CancelledError()
        return self._work.exception()

    async def _record(self, error: BaseException | None) -> str:
        """What happened follows from why it was stopped, and only then from what was raised."""
        job = self.job
        if job.lease.ended is not None:
            return job.lease.ended
        if job.lost.is_set() or isinstance(error, LeaseLost):
            return "lost"
        if job.cancelled.is_set() or isinstance(error, Cancelled):
            return await self._end_cancelled()
        if job.draining.is_set() or isinstance(error, asyncio.CancelledError):
            return await self._release("handed_over", "", counts=False)
        if error is None:
            return await self._end_succeeded()
        return await self._judge(error)

    async def _end_succeeded(self) -> str:
        """For a handler that had nothing to commit."""
        try:
            async with self.job.commit():
                return "succeeded"
        except Cancelled:
            return await self._end_cancelled()

    async def _judge(self, error: BaseException) -> str:
        failure = failure_of(error)
        reason = f"{failure.code}: {failure.message}"
        if isinstance(error, Permanent) or self.job.attempt >= self._rules.max_attempts:
            log.warning("job failed", code=failure.code, exc_info=error)
            return await self._end_failed(failure)
        log.warning("job will be tried again", code=failure.code, exc_info=error)
        return await self._release("retried", reason, counts=True)

    async def _end_cancelled(self) -> str:
        async with self.job.lease.fenced("cancelled", despite_cancel=True) as connection:
            await self._handler.cancelled(self._context(connection), self.job)
        return "cancelled"

    async def _end_failed(self, failure: Failure) -> str:
        reason = f"{failure.code}: {failure.message}"
        fenced = self.job.lease.fenced("failed", reason=reason, despite_cancel=True)
        async with fenced as connection:
            await self._handler.failed(self._context(connection), self.job, failure)
        return "failed"

    def _context(self, connection: Connection) -> Context:
        return Context(connection, self.job.source, self.job.actor, self.job.envelope)

    async def _release(self, outcome: str, reason: str, *, counts: bool) -> str:
        job = self.job
        delay = self._rules.delay(job.attempt) if counts else 0.0

        async def work(connection: Connection) -> bool:
            return await store.release(
                connection, job.id, job.fence, delay=delay, reason=reason, counts=counts
            )

        held = await retrying(self._pool, work, attempts=_RELEASE_ATTEMPTS)
        return outcome if held else "lost"

    async def give_up(self, reason: str) -> str:
        """End a job that was tried too often, its worker silent at last; ``reason``: before."""
        attempts = self._rules.max_attempts
        message = f"The worker was lost {attempts} times while it ran this."
        if reason:
            message = (
                f"The worker was lost at the last of {attempts} attempts."
                f" Before, it had failed: {reason}"
            )
        failure = Failure(
            code="worker_lost",
            message=message,
            remedy="See the workers' logs and memory.",
        )
        return await self._end_failed(failure)
