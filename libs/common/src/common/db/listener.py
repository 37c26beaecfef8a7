"""LISTEN on one connection of the pool, for as long as the process lives."""

import asyncio
import contextlib
from typing import Any

import structlog

from common.db.pool import Connection, Pool

_PING_SECONDS = 15.0
_PING_LIMIT = 5.0
_PAUSE_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)


class Listener:
    """Sets an event for each notification on its channel.

    A notification is a hint: whoever waits for one also looks from time to time. After a lost
    connection every event is set once, because something may have been missed.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._events: dict[str, list[asyncio.Event]] = {}

    def on(self, channel: str) -> asyncio.Event:
        """A new event for ``channel``, which its waiter clears. Ask before ``run`` is started."""
        event = asyncio.Event()
        self._events.setdefault(channel, []).append(event)
        return event

    async def run(self) -> None:
        """Listen until cancelled, with a new connection whenever one is lost."""
        while True:
            try:
                connection = await self._pool.acquire(timeout=_PING_LIMIT)
                try:
                    await self._listen(connection)
                finally:
                    await self._give_back(connection)
            except Exception as error:  # noqa: BLE001 - whatever it was, the answer is to connect again
                log.info("notifications interrupted", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self, connection: Connection) -> None:
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        for channel in self._events:
            await connection.add_listener(channel, self._wake)
        for channel in self._events:
            self._wake(connection, 0, channel, "")
        while not closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PING_SECONDS):
                    await closed.wait()
            await connection.execute("SELECT 1", timeout=_PING_LIMIT)

    def _wake(self, connection: Any, pid: int, channel: str, payload: object) -> None:
        del connection, pid, payload
        for event in self._events[channel]:
            event.set()

    async def _give_back(self, connection: Connection) -> None:
        # Closed rather than reused: nobody else shall receive what was listened for. Nothing here
        # may raise, or it would replace the cancellation that ends the task.
        with contextlib.suppress(Exception):
            connection.terminate()
        with contextlib.suppress(Exception):
            await self._pool.release(connection, timeout=_PING_LIMIT)
