"""What every bus promises to handlers: limits, order, an end with grace, another try."""

import asyncio
from time import monotonic

import pytest

from common.bus.transport import DeadLetter, Delivery, Transport
from common.messages import RunBackup, seal
from integration.buses import Bus


async def send(transport: Transport, queue: str, count: int) -> None:
    """Commands 0 to ``count`` - 1."""
    for number in range(count):
        message = RunBackup(backup_id=str(number), backup_name="nightly")
        await transport.publish(seal(message, source="gateway"), queue=queue)


def number_of(delivery: Delivery) -> int:
    """Which command this is."""
    assert isinstance(delivery.envelope.data, RunBackup)
    return int(delivery.envelope.data.backup_id)


async def until(reached: "asyncio.Event") -> None:
    """Wait, but not for ever."""
    await asyncio.wait_for(reached.wait(), 60)


async def test_no_more_handlers_at_once_than_asked_for(bus: Bus) -> None:
    """Lost: the bound on memory and on database connections."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    await send(transport, queue, 9)
    running, most, done = 0, 0, 0
    full, finished = asyncio.Event(), asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await full.wait()
        await asyncio.sleep(0.05)
        await delivery.ack()
        running -= 1
        done += 1
        if done == 9:
            finished.set()

    await transport.consume(queue, handler, concurrency=3)
    await until(finished)
    assert most == 3


async def test_one_consumer_of_one_sees_them_in_order(bus: Bus) -> None:
    """Lost: `started` would be shown after `completed`."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    got: list[int] = []
    finished = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        got.append(number_of(delivery))
        await delivery.ack()
        if len(got) == 30:
            finished.set()

    await transport.consume(queue, handler)
    await send(transport, queue, 30)
    await until(finished)
    assert got == list(range(30))


@pytest.mark.parametrize("way", ["raises", "forgets"])
async def test_what_a_handler_leaves_unsettled_is_retried(bus: Bus, way: str) -> None:
    """Lost: the message of a handler that failed."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    attempts: list[int] = []
    finished = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if len(attempts) == 2:
            await delivery.ack()
            finished.set()
        elif way == "raises":
            raise ZeroDivisionError

    await transport.consume(queue, handler)
    await send(transport, queue, 1)
    await until(finished)
    assert attempts == [1, 2]


async def test_stop_lets_a_handler_finish(bus: Bus) -> None:
    """Lost: work that needed a second more when the service was told to stop."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    begun, done = asyncio.Event(), asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        begun.set()
        await asyncio.sleep(0.4)
        await delivery.ack()
        done.set()

    consumption = await transport.consume(queue, handler)
    await send(transport, queue, 3)
    await until(begun)
    await consumption.stop(60)
    assert done.is_set()
    async with asyncio.timeout(60):
        while await transport.depth(queue) != 2:
            await asyncio.sleep(0.05)


async def test_stop_without_grace_gives_the_message_back(bus: Bus) -> None:
    """Lost: the message of a handler that did not end in time."""
    transport = await bus.open(visibility=60.0)
    queue = await bus.queue(transport)
    begun = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        begun.set()
        await asyncio.sleep(60)

    consumption = await transport.consume(queue, handler)
    await send(transport, queue, 1)
    await until(begun)
    start = monotonic()
    await consumption.stop(0)
    assert await transport.take(queue, 60) is not None
    assert monotonic() - start < 40


async def test_a_dead_consumers_message_comes_again(served_bus: Bus) -> None:
    """Lost: the command that a worker held when it was killed."""
    transport = await served_bus.open()
    queue = await served_bus.queue(transport)
    await send(transport, queue, 1)
    await served_bus.kill_a_consumer(queue)
    delivery = await transport.take(queue, 60)
    assert delivery is not None
    assert number_of(delivery) == 0
    await delivery.ack()


async def test_a_message_that_kills_its_consumers_is_given_up(served_bus: Bus) -> None:
    """Lost: every worker, one after another, to the same message."""
    transport = await served_bus.open(delivery_limit=1)
    queue = await served_bus.queue(transport)
    await send(transport, queue, 1)
    await served_bus.kill_a_consumer(queue)
    await served_bus.kill_a_consumer(queue)
    letters: list[DeadLetter] = []
    async with asyncio.timeout(60):
        while not letters:
            assert await transport.take(queue, 0.5) is None
            letters = [one for one in await transport.dead_letters(1000) if one.queue == queue]
    assert len(letters) == 1
    assert "died" in letters[0].reason
    await transport.replay(letters[0].id)
    delivery = await transport.take(queue, 30)
    assert delivery is not None
    assert delivery.attempt == 1


async def test_a_long_handler_keeps_its_message(bus: Bus) -> None:
    """Lost: exactly one handler at a time for a message that takes longer than the visibility."""
    transport, other = await bus.open(visibility=6.0), await bus.open()
    queue = await bus.queue(transport)
    await send(transport, queue, 1)
    delivery = await transport.take(queue, 30)
    assert delivery is not None
    assert await other.take(queue, 8.0) is None
    await delivery.ack()
    assert await other.take(queue, 0.2) is None
