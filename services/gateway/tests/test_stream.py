import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from common.messages import JobProgressed, seal
from gateway.stream import response
from gateway.stream.hub import (
    LISTENERS_OF_USER,
    QUEUE_LENGTH,
    Hub,
    Listener,
    TooManyStreams,
)
from gateway.stream.response import EventStream, events


def hub() -> Hub:
    """A hub that is told by hand."""
    return Hub(lambda _: pytest.fail("nobody listens to a bus here"))


def progress(operation_id: str, done: int = 0) -> Any:
    event = JobProgressed(operation_id=operation_id, kind="backup", phase="x", done_bytes=done)
    return seal(event, source="worker")


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def test_a_slow_listener_is_let_go_and_told_so() -> None:
    """Otherwise one client that does not read fills the memory."""
    busy = hub()
    with busy.listener("u", None) as slow:
        for number in range(QUEUE_LENGTH + 50):
            busy.publish(progress("o", number))
        sent = [chunk async for chunk in events(slow, [], yes)]
    assert sent[-1] == b": too slow, connect again\n\n"
    assert len(sent) == 2


async def test_an_event_goes_to_those_who_want_it() -> None:
    """Otherwise a client sees another operation's progress."""
    busy = hub()
    with busy.listener("u", "mine") as mine, busy.listener("u", None) as every:
        busy.publish(progress("other"))
        busy.publish(progress("mine"))
        assert b'"operation_id": "mine"' in (await mine.next() or b"")
        assert b'"operation_id": "other"' in (await every.next() or b"")


async def test_a_user_and_a_stopping_server_have_limits() -> None:
    """Otherwise one user uses up the server, or a restart waits for new streams."""
    busy = hub()
    listeners = [busy.listener("u", None) for _ in range(LISTENERS_OF_USER)]
    for each in listeners:
        each.__enter__()
    with pytest.raises(TooManyStreams), busy.listener("u", None):
        pass
    with busy.listener("v", None) as other:
        await busy.close()
        assert other.ended is not None
    with pytest.raises(TooManyStreams), busy.listener("w", None):
        pass
    for each in listeners:
        each.__exit__(None, None, None)


async def test_a_silent_stream_says_that_it_is_there() -> None:
    """Otherwise a proxy closes a stream on which nothing happens."""
    sent = events(Listener("u", None), [b"first"], yes, heartbeat=0.01)
    assert (await anext(sent)).endswith(b": connected\n\nfirst")
    assert await anext(sent) == b": still here\n\n"


@pytest.mark.parametrize("busy", [False, True])
async def test_a_stream_ends_with_its_session(busy: bool) -> None:
    """Otherwise a user who was logged out goes on listening."""
    listener = Listener("u", None)
    sent = events(listener, [], no, heartbeat=0.05)
    await anext(sent)
    rest: list[bytes] = []

    async def read() -> None:
        async for chunk in sent:
            rest.append(chunk)
            if busy:
                listener.offer(b"more")

    if busy:
        listener.offer(b"more")
    async with asyncio.timeout(60):
        await read()
    assert rest[-1] == b": access has ended\n\n"


async def test_an_old_stream_ends() -> None:
    """Otherwise a stream lives for as long as the process."""
    sent = events(Listener("u", None), [], yes, heartbeat=0.01, longest=0.02)
    async with asyncio.timeout(60):
        rest = [chunk async for chunk in sent]
    assert rest[-1] == b": this stream is old, connect again\n\n"


class Connection:
    """The server's side of a connection, as an application sees it."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.gone = asyncio.Event()
        self.sent: list[Any] = []
        self._stuck = stuck

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self._stuck and message["type"] == "http.response.body":
            await asyncio.Event().wait()
        self.sent.append(message)


async def test_a_stream_ends_when_its_client_has_gone() -> None:
    """Otherwise closed tabs keep their places until the next heartbeat."""
    listener, connection = Listener("u", None), Connection()
    stream = EventStream(events(listener, [], yes), listener)
    serving = asyncio.create_task(stream({}, connection.receive, connection.send))
    await asyncio.sleep(0.01)
    connection.gone.set()
    async with asyncio.timeout(60):
        await serving
    assert listener.ended == "the client has gone"


async def test_a_client_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a stopped client keeps its place for ever."""
    monkeypatch.setattr(response, "SEND_SECONDS", 0.01)
    listener, connection = Listener("u", None), Connection(stuck=True)
    stream = EventStream(events(listener, [], yes), listener)
    async with asyncio.timeout(60):
        await stream({}, connection.receive, connection.send)
    assert [message["type"] for message in connection.sent] == ["http.response.start"]


async def test_a_hub_passes_on_what_it_hears() -> None:
    """Otherwise no stream ever shows anything."""

    class Heard:
        gaps = 0

        async def __aiter__(self) -> AsyncIterator[Any]:
            yield progress("o", 7)

    class Ear:
        async def __aenter__(self) -> Any:
            return Heard()

        async def __aexit__(self, *_: object) -> None:
            return None

    listening = Hub(lambda _: Ear())
    with listening.listener("u", None) as listener:
        await listening.run()
        assert b'"done_bytes": 7' in (await listener.next() or b"")
