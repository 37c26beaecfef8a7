"""One worker's hold on one job, kept alive by heartbeats in the database's time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import structlog

from common.db import Connection, Pool, borrowed, is_transient, transaction
from common.errors import Cancelled, LeaseLost
from common.jobs import store

_BEATS = 3

log = structlog.stdlib.get_logger(__name__)


class Lease:
    """The lease of job ``id_`` under fencing number ``fence``.

    It counts as lost when the database says so, and also when no heartbeat has got through for as
    long as it lasts: a local clock is used only to give up early, never to go on.
    """

    def __init__(self, pool: Pool, id_: str, fence: int, seconds: float) -> None:
        self._pool = pool
        self._id = id_
        self._fence = fence
        self._seconds = seconds
        self._expires = time.monotonic() + seconds
        self._nudged = asyncio.Event()
        self._holding: Connection | None = None
        self.lost = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.ended: store.Ending | None = None

    @property
    def holding(self) -> bool:
        """Whether a fenced transaction is open right now."""
        return self._holding is not None

    def nudge(self) -> None:
        """Look at the row now: somebody may have asked for a cancel."""
        self._nudged.set()

    async def keep(self, stop: Callable[[], None]) -> None:
        """Renew until the job ends or is lost; ``stop`` is called on a cancel and on a loss."""
        while not self.lost.is_set() and self.ended is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._nudged.wait()
            self._nudged.clear()
            await self._beat_in_time()
            if self.lost.is_set() or self.cancelled.is_set():
                stop()

    def _pause(self) -> float:
        return max(min(self._seconds / _BEATS, self._expires - time.monotonic()), 0.01)

    async def _beat_in_time(self) -> None:
        """One heartbeat; a frozen database cannot hold up the verdict that the lease is over."""
        beat = asyncio.create_task(self._beat())
        try:
            while not beat.done() and not self.lost.is_set():
                left = self._expires - time.monotonic()
                if left <= 0 and self._holding is None:
                    self._lose("no heartbeat got through")
                await asyncio.wait({beat}, timeout=max(left, 0.01))
        finally:
            beat.cancel()

    async def _beat(self) -> None:
        if self._holding is not None:
            # Our own transaction locks the row: that is enough while its connection lives.
            self._expires = max(self._expires, time.monotonic() + self._seconds / _BEATS)
            return
        try:
            await self.renew()
        except LeaseLost:
            return
        except Exception as error:  # noqa: BLE001 - whatever stops a heartbeat, time decides
            log.info("heartbeat failed", job=self._id, error=type(error).__name__)
            await asyncio.sleep(min(0.5, self._seconds / 10))
            self._nudged.set()

    async def renew(self) -> None:
        """Extend the lease now.

        Raises:
            LeaseLost: it is not held any more.
        """
        started = time.monotonic()
        limit = max(min(self._seconds / _BEATS, self._expires - started), 0.05)
        # One statement, one transaction: a worker that freezes here leaves no lock to its heir.
        async with asyncio.timeout(limit), borrowed(self._pool, wait=limit) as connection:
            standing = await store.renew(connection, self._id, self._fence, self._seconds)
        self._judge(standing)
        self._expires = started + self._seconds
        if standing.cancel_requested:
            self.cancelled.set()

    def _judge(self, standing: store.Standing) -> None:
        if self.ended is None and not standing.held:
            self._lose("taken over or expired")
        if self.lost.is_set():
            raise LeaseLost

    def _lose(self, reason: str) -> None:
        if not self.lost.is_set():
            log.warning("lease lost", job=self._id, reason=reason)
            self.lost.set()

    @contextlib.asynccontextmanager
    async def fenced(
        self, ending: store.Ending | None = None, *, reason: str = "", despite_cancel: bool = False
    ) -> AsyncIterator[Connection]:
        """A transaction that holds the job's row and, with ``ending``, ends the job.

        Raises:
            LeaseLost: the job is no longer this worker's.
            Cancelled: somebody has asked for it to stop.
        """
        if self.lost.is_set() or self.ended is not None:
            raise LeaseLost
        # A whole lease lies ahead, even if the connection dies unnoticed inside the block.
        await self._renew_patiently()
        try:
            async with transaction(self._pool) as connection:
                await self._hold(connection, despite_cancel=despite_cancel)
                self._holding = connection
                with self._watching(connection):
                    yield connection
                    if self.lost.is_set():
                        raise LeaseLost
                    if ending is not None:
                        await store.end(connection, self._id, ending, reason)
                    else:
                        await store.extend(connection, self._id, self._seconds)
            # Before the row is free for a heartbeat, which would take its end for a loss.
            self.ended = ending
        finally:
            self._holding = None
            self._nudged.set()

    @contextlib.contextmanager
    def _watching(self, connection: Connection) -> Iterator[None]:
        """With the connection the row's lock goes: then the job may be somebody else's already."""

        def ended(_: object) -> None:
            self._lose("connection lost in a transaction")
            self._nudged.set()

        connection.add_termination_listener(ended)
        try:
            yield
        finally:
            with contextlib.suppress(asyncpg.InterfaceError):  # it is gone
                connection.remove_termination_listener(ended)

    async def _hold(self, connection: Connection, *, despite_cancel: bool) -> None:
        standing = await store.hold(connection, self._id, self._fence, self._seconds)
        self._judge(standing)
        if standing.cancel_requested and not despite_cancel:
            self.cancelled.set()
            raise Cancelled

    async def _renew_patiently(self) -> None:
        while True:
            try:
                return await self.renew()
            except LeaseLost:
                raise
            except Exception as error:
                if not is_transient(error):
                    raise
                if time.monotonic() >= self._expires:
                    self._lose("no heartbeat got through")
                    raise LeaseLost from error
                await asyncio.sleep(min(0.5, self._seconds / 10))
