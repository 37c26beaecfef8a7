"""What every bus that has a server promises when the server goes, and comes back."""

import asyncio
import logging
from time import monotonic

import pytest
import structlog

from common.bus.transport import Delivery, Listening, Transport
from common.errors import Unavailable
from common.messages import BackupCancelled, Envelope, RunBackup, seal
from integration.buses import Bus

pytestmark = pytest.mark.slow

SECRET = "content-that-no-log-may-show"


def command(number: int) -> Envelope:
    """A backup command."""
    return seal(RunBackup(backup_id=str(number), backup_name=SECRET), source="gateway")


def cancelled() -> Envelope:
    """An event."""
    message = BackupCancelled(backup_id="b", backup_name="nightly", station="main")
    return seal(message, source="backup-worker")


async def test_a_power_cut_loses_nothing(served_bus: Bus) -> None:
    """Lost: confirmed messages, or the service itself, whenever a server is restarted."""
    transport = await served_bus.open(publish_timeout=240.0, visibility=5.0)
    queue = await served_bus.queue(transport)
    got: set[str] = set()
    begun = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        begun.set()
        await asyncio.sleep(0.02)
        assert isinstance(delivery.envelope.data, RunBackup)
        got.add(delivery.envelope.data.backup_id)
        await delivery.ack()

    await transport.consume(queue, handler, concurrency=2)
    async with transport.listen(["backup.*"]) as events:
        # RabbitMQ 3.10 writes down a new queue's folder only half a second after it confirms it.
        await asyncio.sleep(1.5)
        for number in range(30):
            await transport.publish(command(number), queue=queue)
        await asyncio.wait_for(begun.wait(), 60)
        served_bus.server.stop(kill=True)
        waiting = asyncio.create_task(transport.publish(command(30), queue=queue))
        async with asyncio.timeout(60):
            while transport.healthy() is None:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert not waiting.done()
        served_bus.server.start()
        await asyncio.wait_for(waiting, 60)
        async with asyncio.timeout(120):
            while len(got) < 31 or transport.healthy():
                await asyncio.sleep(0.1)
        await until_heard(transport, events)
    assert events.gaps > 0


async def until_heard(transport: Transport, events: Listening) -> None:
    """Publish until the listener hears again."""
    hearing = aiter(events)

    async def hear() -> None:
        await anext(hearing)

    heard = asyncio.create_task(hear())
    async with asyncio.timeout(60):
        while not heard.done():
            await transport.publish(cancelled())
            await asyncio.sleep(0.2)


def hurry(transport: Transport) -> None:
    """From now on it waits only so long; to get here it had the time that it needed."""
    policy = transport._policy  # type: ignore[attr-defined] # each that has a server has one
    for limit, seconds in (("publish_timeout", 1.0), ("connect_timeout", 1.5)):
        object.__setattr__(policy, limit, seconds)


async def test_nothing_waits_without_end_for_a_server_that_is_away(served_bus: Bus) -> None:
    """Lost: requests and shutdowns that hang, and the sentence that says why."""
    transport = await served_bus.open()
    queue = await served_bus.queue(transport)
    hurry(transport)
    fresh = served_bus.backend.transport("gateway", served_bus.policy(connect_timeout=1.5))
    served_bus.server.stop()
    try:
        begun = monotonic()
        for waiting in (
            transport.publish(command(1), queue=queue),
            transport.depth(queue),
            transport.ask(command(1), queue, 1.0),
            transport.declare(queue),
            fresh.start(),
        ):
            with pytest.raises(Unavailable) as raised:
                await asyncio.wait_for(waiting, 60)
            assert "strongroom:" not in str(raised.value)
            assert "bus:" not in str(raised.value)
        assert await asyncio.wait_for(transport.take(queue, 0.5), 60) is None
        assert transport.healthy()
        assert monotonic() - begun < 150
        await asyncio.wait_for(transport.close(), 60)
    finally:
        served_bus.server.start()
    again = await served_bus.open()
    assert await again.depth(queue) == 0
    # RabbitMQ loses its dead-lettering until the next restart (rabbitmq-server #16652) if a queue
    # is deleted, as it is after this test, in the moment after a start.
    await asyncio.sleep(2)


async def test_no_body_reaches_a_log(served_bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    """Lost: names, paths and whatever else messages hold, to whoever reads logs."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as ours:
        transport = await served_bus.open()
        queue = await served_bus.queue(transport)
        await served_bus.backend.inject(queue, SECRET.encode())
        await transport.publish(command(1), queue=queue)
        with pytest.raises(Unavailable):
            await transport.publish(command(2), queue=served_bus.name())
        delivery = await transport.take(queue, 30)
        assert delivery is not None
        await delivery.retry("later")
        assert len(await transport.dead_letters(1000)) > 0
        await transport.close()
    assert SECRET not in caplog.text
    assert SECRET not in str(ours)
