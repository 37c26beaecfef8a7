"""Events on their way to one listener: bounded, the oldest give way."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from common.messages import Envelope


class Buffer:
    """What a listener has not seen yet. ``put`` never waits."""

    def __init__(self, size: int) -> None:
        self._waiting: deque[Envelope] = deque(maxlen=size)
        self._news = asyncio.Event()
        self._closed = False
        self._gaps = 0

    @property
    def gaps(self) -> int:
        """How often something may have been missed."""
        return self._gaps

    def put(self, envelope: Envelope) -> None:
        """Add an event; from a full buffer the oldest goes."""
        if len(self._waiting) == self._waiting.maxlen:
            self._gaps += 1
        self._waiting.append(envelope)
        self._news.set()

    def interrupted(self) -> None:
        """The source was away: events may be missing here."""
        self._gaps += 1

    def close(self) -> None:
        """End the iteration once what waits is read."""
        self._closed = True
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Envelope]:
        return self

    async def __anext__(self) -> Envelope:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
