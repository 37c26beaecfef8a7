"""What PostgreSQL tells a listening connection, passed on to who waits for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from common.bus.postgres.faults import FAULTS, reason_of
from common.bus.postgres.schema import Connection
from common.bus.postgres.statements import CHANNEL
from common.bus.postgres.store import Store
from common.errors import Unavailable

log = structlog.get_logger(__name__)

CHECK = 10.0
PAUSE = 0.5


class Notices:
    """Wakes those who wait for a queue or an answer, and hands on the numbers of events.

    A notification may be missed over a lost connection; so whoever waits looks again at times, and
    is woken once when the connection is back.
    """

    def __init__(
        self, store: Store, on_event: Callable[[int, str], None], on_gap: Callable[[], None]
    ) -> None:
        self._store = store
        self._on_event = on_event
        self._on_gap = on_gap
        self._listening = asyncio.Event()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self.fault: str | None = "The bus is not started."

    async def start(self, limit: float) -> None:
        """Listen until ``close``.

        Raises:
            Unavailable: not listening within ``limit`` seconds.
        """
        self._task = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(limit):
                await self._listening.wait()
        except TimeoutError:
            raise Unavailable(self.fault) from None

    async def close(self) -> None:
        """Listen no more."""
        self.fault = "The bus is closed."
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @asynccontextmanager
    async def news(self, topic: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set by every notification of ``topic``."""
        event = asyncio.Event()
        self._waiting.setdefault(topic, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[topic]
            waiting.discard(event)
            if not waiting:
                del self._waiting[topic]

    async def _keep(self) -> None:
        while True:
            try:
                connection = await self._store.connect()
                try:
                    await self._listen(connection)
                finally:
                    await _end(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may succeed
                self.fault = f"PostgreSQL, which carries the bus, is away: {reason_of(error)}."
                log.warning("bus connection lost", reason=self.fault)
            await asyncio.sleep(PAUSE)

    async def _listen(self, connection: Connection) -> None:
        await connection.add_listener(CHANNEL, self._notified)
        self.fault = None
        if self._listening.is_set():
            self._on_gap()
            for waiting in self._waiting.values():
                for event in waiting:
                    event.set()
        self._listening.set()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_: lost.set())
        while not lost.is_set():
            await connection.fetchval("SELECT 1", timeout=CHECK)
            try:
                async with asyncio.timeout(CHECK):
                    await lost.wait()
            except TimeoutError:
                continue
        raise ConnectionResetError(None, "the connection was lost")

    def _notified(self, *arguments: Any) -> None:
        topic = str(arguments[3])
        if topic.startswith("event:"):
            _, number, event_type = topic.split(":", 2)
            self._on_event(int(number), event_type)
            return
        for event in self._waiting.get(topic, ()):
            event.set()


async def _end(connection: Connection) -> None:
    try:
        await connection.close(timeout=PAUSE * 4)
    except FAULTS:
        connection.terminate()
