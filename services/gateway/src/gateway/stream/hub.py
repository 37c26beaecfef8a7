"""One ear on the bus, many listeners here, each with a bounded queue.

A listener that does not keep up is let go: it would otherwise hold memory, or see events with
holes that nobody tells it of. It connects again and reads the current state from the lists.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

from common.bus.transport import Listening
from common.errors import Unavailable
from common.messages import Envelope, operation_id

PATTERNS = ("job.progressed", "backup.*", "restore.*", "verification.*", "deletion.*", "upload.*")
QUEUE_LENGTH = 256
LISTENERS = 256
LISTENERS_OF_USER = 16


class TooManyStreams(Unavailable):
    """Too many event streams are open."""

    code = "too_many_streams"
    retry_after = 30


class Listener:
    """One open stream: the events for it that have not been sent yet."""

    def __init__(self, user_id: str, operation: str | None) -> None:
        self.user_id = user_id
        self.operation = operation
        self.ended: str | None = None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LENGTH + 1)

    def offer(self, event: bytes) -> None:
        """Queue an event, or end the stream if too many wait already."""
        if self._queue.qsize() >= QUEUE_LENGTH:
            self.end("too slow, connect again")
        elif self.ended is None:
            self._queue.put_nowait(event)

    def end(self, reason: str) -> None:
        """Send nothing more; ``reason`` is told to whoever still listens."""
        if self.ended is None:
            self.ended = reason
            self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next event; None when the stream has ended."""
        return None if self.ended is not None else await self._queue.get()


class Hub:
    """Takes events off the bus and hands each to the streams that want it."""

    def __init__(
        self, listen: Callable[[tuple[str, ...]], AbstractAsyncContextManager[Listening]]
    ) -> None:
        self._listen = listen
        self._listeners: set[Listener] = set()
        self._closed = False

    async def run(self) -> None:
        """Pass events on for as long as the bus is there."""
        async with self._listen(PATTERNS) as listening:
            async for envelope in listening:
                self.publish(envelope)

    def publish(self, envelope: Envelope) -> None:
        """Hand an event to everyone who wants it, without waiting for anybody."""
        about = {operation_id(envelope.data), getattr(envelope.data, "backup_id", "")}
        event = b""
        for listener in self._listeners:
            if listener.operation is None or listener.operation in about:
                event = event or event_of(envelope)
                listener.offer(event)

    @contextmanager
    def listener(self, user_id: str, operation: str | None) -> Iterator[Listener]:
        """A stream of all events, or of those about one operation or backup.

        Raises:
            TooManyStreams: of this user, or at all.
        """
        of_user = sum(1 for each in self._listeners if each.user_id == user_id)
        if self._closed or len(self._listeners) >= LISTENERS or of_user >= LISTENERS_OF_USER:
            raise TooManyStreams
        listener = Listener(user_id, operation)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """End all streams and open no more: the service is going to stop."""
        self._closed = True
        for listener in self._listeners:
            listener.end("the server is restarting, connect again")


def event_of(envelope: Envelope) -> bytes:
    """An event as it goes over the wire."""
    body = {
        "id": str(envelope.id),
        "type": envelope.type,
        "time": envelope.time.isoformat(),
        "operation_id": operation_id(envelope.data),
        "data": envelope.data.model_dump(mode="json"),
    }
    return frame(envelope.type, body, str(envelope.id))


def frame(name: str, body: object, id_: str = "") -> bytes:
    """A server-sent event. JSON has no line break of its own, so one ``data`` line holds it."""
    identity = f"id: {id_}\n" if id_ else ""
    return f"{identity}event: {name}\ndata: {json.dumps(body)}\n\n".encode()
