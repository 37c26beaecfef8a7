"""Events for the listeners of one transport, fetched by the numbers that were notified."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from common.bus.buffer import Buffer
from common.bus.patterns import expression, matches
from common.bus.postgres import statements
from common.bus.postgres.store import Store
from common.bus.transport import Policy
from common.messages import Unreadable, decode

log = structlog.get_logger(__name__)

FETCH_LIMIT = 10.0
LONGEST_BACKLOG = 10_000


class Ears:
    """All listeners of one transport."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._buffers: dict[Buffer, list[re.Pattern[str]]] = {}
        self._wanted: asyncio.Queue[int] = asyncio.Queue(LONGEST_BACKLOG)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch from now on."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End every listener's iteration."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for buffer in self._buffers:
            buffer.close()

    @asynccontextmanager
    async def listen(self, patterns: Sequence[str]) -> AsyncIterator[Buffer]:
        """Every event that fits, from the moment that the ``with`` is entered."""
        buffer = Buffer(self._policy.listen_buffer)
        self._buffers[buffer] = [re.compile(expression(pattern)) for pattern in patterns]
        try:
            yield buffer
        finally:
            del self._buffers[buffer]

    def notified(self, number: int, event_type: str) -> None:
        """An event was sent."""
        if not any(matches(patterns, event_type) for patterns in self._buffers.values()):
            return
        if self._wanted.full():
            self.interrupted()
        else:
            self._wanted.put_nowait(number)

    def interrupted(self) -> None:
        """Events may be missing."""
        for buffer in self._buffers:
            buffer.interrupted()

    async def _keep(self) -> None:
        while True:
            numbers = [await self._wanted.get()]
            while not self._wanted.empty():
                numbers.append(self._wanted.get_nowait())
            try:
                rows = await self._store.rows(statements.EVENTS, numbers, limit=FETCH_LIMIT)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next may be there
                log.warning("events missed", reason=type(error).__name__)
                self.interrupted()
                continue
            for row in rows:
                self._hand_out(row["body"])

    def _hand_out(self, body: bytes) -> None:
        try:
            envelope = decode(body)
        except Unreadable as error:
            log.info("event unreadable", reason=error.message)
            return
        for buffer, patterns in self._buffers.items():
            if matches(patterns, envelope.type):
                buffer.put(envelope)
