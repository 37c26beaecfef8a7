"""What a handler of long work sees: the job, and what it has to provide itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from common.errors import LeaseLost
from common.jobs.lease import Lease
from common.jobs.progress import ProgressTeller
from common.messages import Actor, Command, Envelope, Failure, JobProgressed
from common.outbox import Context

C = TypeVar("C", bound=Command)


class Job(Generic[C]):
    """One job in this worker's hands.

    ``id`` is the operation's id, ``attempt`` counts from 1 and goes up after a crash or an error,
    not after a hand-over, ``fence`` goes up whenever a worker takes the job. When the job has to
    stop, one of ``cancelled``, ``lost`` and ``draining`` is set and the task that runs the handler
    is cancelled: clean up within ten seconds and let the cancellation pass.
    """

    def __init__(  # noqa: PLR0913 - plain attributes, set in one place
        self,
        *,
        id_: str,
        message: C,
        envelope: Envelope,
        source: str,
        worker: str,
        attempt: int = 0,
        fence: int = 0,
        lease: Lease | None = None,
        teller: ProgressTeller | None = None,
    ) -> None:
        self.id = id_
        self.message = message
        self.envelope = envelope
        self.source = source
        self.worker = worker
        self.attempt = attempt
        self.fence = fence
        self.draining = asyncio.Event()
        self._lease = lease
        self._teller = teller

    @property
    def actor(self) -> Actor:
        """On whose behalf the job runs."""
        return self.envelope.actor

    @property
    def cancelled(self) -> asyncio.Event:
        """Set when somebody has asked for the job to stop."""
        return self.lease.cancelled

    @property
    def lost(self) -> asyncio.Event:
        """Set when the job is no longer this worker's: nothing of it may be committed."""
        return self.lease.lost

    @property
    def lease(self) -> Lease:
        """The hold on the job; a job that is ended without having run here has none."""
        if self._lease is None:
            raise LeaseLost
        return self._lease

    def progress(self, event: JobProgressed) -> None:
        """Tell how far the job is; returns at once. At most one a second leaves, newest wins."""
        if self._teller is not None:
            self._teller.tell(event)

    def close(self) -> None:
        """The job is no longer at work here: nothing more is told of it."""
        if self._teller is not None:
            self._teller.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Context]:
        """A transaction that only the holder of the job can commit.

        Raises:
            LeaseLost: the job is no longer this worker's.
            Cancelled: somebody has asked for the job to stop.
        """
        async with self.lease.fenced() as connection:
            yield Context(connection, self.source, self.actor, self.envelope)

    @asynccontextmanager
    async def commit(self) -> AsyncIterator[Context]:
        """The last such transaction: the job has succeeded when it commits.

        While it is open the job can neither be taken over nor cancelled.
        """
        async with self.lease.fenced("succeeded") as connection:
            yield Context(connection, self.source, self.actor, self.envelope)


class JobHandler(Protocol[C]):
    """Runs the jobs of one command. Any worker may run the same job again after a crash."""

    async def run(self, job: Job[C]) -> None:
        """Do the work and end it with ``async with job.commit() as context``.

        A permanent error fails the job at once; any other is tried again, up to the last attempt.
        """

    async def failed(self, context: Context, job: Job[C], failure: Failure) -> None:
        """Record and tell that the job has failed, in the transaction that ends it."""

    async def cancelled(self, context: Context, job: Job[C]) -> None:
        """Record and tell that the job was cancelled; it may never have run."""
