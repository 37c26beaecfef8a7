"""Sending a stream that nobody has to wait for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.stream.hub import Listener

log = structlog.stdlib.get_logger(__name__)

HEARTBEAT = 15.0
LONGEST = 3600.0
SEND_SECONDS = 30.0


async def events(
    listener: Listener,
    first: list[bytes],
    allowed: Callable[[], Awaitable[bool]],
    *,
    heartbeat: float = HEARTBEAT,
    longest: float = LONGEST,
) -> AsyncIterator[bytes]:
    """What a stream sends: ``first``, then events, and a comment in each silence.

    It ends with a comment that says why: access is over, the listener was too slow, the
    stream is an hour old, the server stops. Clients connect again after three seconds.
    """
    clock = asyncio.get_running_loop().time
    begin, beat = clock(), clock() + heartbeat
    yield b"retry: 3000\n: connected\n\n" + b"".join(first)
    while True:
        try:
            async with asyncio.timeout_at(beat):
                event = await listener.next()
        except TimeoutError:
            event = b": still here\n\n"
        if clock() >= beat:
            beat = clock() + heartbeat
            if clock() - begin >= longest:
                listener.end("this stream is old, connect again")
            if not await allowed():
                listener.end("access has ended")
        if event is None or listener.ended is not None:
            yield f": {listener.ended}\n\n".encode()
            return
        yield event


class EventStream(Response):
    """Sends chunks as they come. A client that takes none for half a minute is let go."""

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncIterator[bytes], listener: Listener) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._chunks = chunks
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream ends or the client has gone."""
        del scope
        watching = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for chunk in self._chunks:
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("event stream given up: its client takes nothing")
        finally:
            watching.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.end("the client has gone")
