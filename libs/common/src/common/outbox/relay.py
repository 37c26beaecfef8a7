"""Takes what transactions wrote into the outbox, puts it on the bus and forgets it.

One relay of a schema works at a time, in the order of writing, however many replicas run. It
deletes after the bus has confirmed; a crash in between sends a message twice, under the same id.
"""

import asyncio
import contextlib

import structlog

from common.bus.transport import Transport, Unroutable
from common.db import Connection, Pool, is_transient, transaction
from common.errors import Error, Permanent
from common.messages import decode
from common.observability import metrics
from common.outbox import store

_BATCH = 100
_BATCH_SECONDS = 5.0
_POLL_SECONDS = 5.0
_LATE_SECONDS = 60.0
_LONGEST_PAUSE = 10.0
_LONGEST_PARKING = 300.0

log = structlog.stdlib.get_logger(__name__)


class Relay:
    """The relay of the service ``name``; ``wake`` is set when something was written."""

    def __init__(self, name: str, pool: Pool, transport: Transport, wake: asyncio.Event) -> None:
        self._name = name
        self._pool = pool
        self._transport = transport
        self._wake = wake
        self._busy = asyncio.Lock()

    async def run(self) -> None:
        """Relay until cancelled; a missing database or bus is waited for."""
        pause = 0.0
        while True:
            self._wake.clear()
            try:
                complete = await self._batch()
            except Exception as error:
                if not is_transient(error):
                    log.exception("relaying failed")
                complete = False
            if complete:
                pause = 0.0
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._wake.wait()
            elif complete is None:
                pause = 0.0
            else:
                pause = min(max(pause * 2, 0.2), _LONGEST_PAUSE)
                await asyncio.sleep(pause)

    async def flush(self, limit: float) -> None:
        """Send what is left, for at most ``limit`` seconds; the rest is sent after the restart."""
        try:
            async with asyncio.timeout(limit):
                while await self._batch() is None:
                    pass
        except Exception as error:  # noqa: BLE001 - nothing is lost: the rows stay
            log.info("outbox not flushed", error=type(error).__name__)

    async def _batch(self) -> bool | None:
        """Relay some. True: nothing is left; None: more may be there; False: the bus fails."""
        async with self._busy, transaction(self._pool) as connection:
            if not await store.lock(connection):
                return True
            rows = await store.due(connection, _BATCH)
            sent, working = await self._publish(rows, connection)
            if sent:
                await store.delete(connection, sent)
        if not working:
            return False
        return True if not rows else None

    async def _publish(
        self, rows: list[store.Row], connection: Connection
    ) -> tuple[list[int], bool]:
        """Publish in order until one fails for the bus's sake; park those that fail for theirs."""
        sent: list[int] = []
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _BATCH_SECONDS
        for row in rows:
            try:
                await self._transport.publish(decode(row.envelope.encode()), queue=row.queue)
            except Exception as error:  # noqa: BLE001 - one message must not stop the others
                if is_transient(error) and not isinstance(error, Unroutable):
                    log.warning("the bus takes nothing", error=type(error).__name__)
                    return sent, False
                await self._park(connection, row, error)
            else:
                sent.append(row.seq)
            if loop.time() > deadline:
                break
        return sent, True

    async def _park(self, connection: Connection, row: store.Row, error: Exception) -> None:
        reason = str(error) if isinstance(error, Error) else type(error).__name__
        final = isinstance(error, Permanent)
        seconds = None if final else min(2.0 ** min(row.attempts, 10), _LONGEST_PARKING)
        await store.park(connection, row.seq, reason, seconds)
        log.warning("message parked", message_id=str(row.id), queue=row.queue, reason=reason)

    async def measure(self) -> str | None:
        """Bring the metrics up to date; a sentence when messages wait or are parked."""
        async with transaction(self._pool) as connection:
            backlog = await store.backlog(connection)
        metrics.OUTBOX_DEPTH.labels(self._name).set(backlog.depth)
        metrics.OUTBOX_AGE.labels(self._name).set(backlog.age_seconds)
        metrics.OUTBOX_PARKED.labels(self._name).set(backlog.parked)
        if backlog.parked:
            return f"{backlog.parked} messages are parked: {backlog.reason}"
        if backlog.age_seconds > _LATE_SECONDS:
            return f"{backlog.depth} messages wait, the oldest for {backlog.age_seconds:.0f} s"
        return None
