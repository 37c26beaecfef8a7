"""What every bus promises about messages in a queue."""

import asyncio
from time import monotonic

import pytest

from common.bus.transport import DeadLetter, Delivery, Policy, TooLarge, Transport, Unroutable
from common.errors import NotFound
from common.messages import Envelope, RunBackup, encode, seal
from integration.buses import Bus


def command(number: int = 1, name: str = "nightly") -> Envelope:
    """A backup command; ``number`` tells it from others."""
    return seal(RunBackup(backup_id=str(number), backup_name=name), source="gateway")


def number_of(delivery: Delivery | None) -> int:
    """Which command this is."""
    assert delivery is not None
    assert isinstance(delivery.envelope.data, RunBackup)
    return int(delivery.envelope.data.backup_id)


async def dead_of(transport: Transport, queue: str) -> list[DeadLetter]:
    """The dead letters of one queue."""
    return [letter for letter in await transport.dead_letters(1000) if letter.queue == queue]


async def dead_letter(transport: Transport, queue: str) -> DeadLetter:
    """The one dead letter of ``queue``, once it is there."""
    async with asyncio.timeout(60):
        while not (found := await dead_of(transport, queue)):
            await asyncio.sleep(0.05)
    assert len(found) == 1
    return found[0]


async def test_a_command_reaches_one_worker_of_two(bus: Bus) -> None:
    """Lost: two workers would run the same backup."""
    first, second = await bus.open(), await bus.open()
    queue = await bus.queue(first)
    got: list[int] = []

    async def handler(delivery: Delivery) -> None:
        got.append(number_of(delivery))
        await delivery.ack()

    await first.consume(queue, handler)
    await second.consume(queue, handler)
    for number in range(10):
        await first.publish(command(number), queue=queue)
    async with asyncio.timeout(60):
        while len(got) < 10:
            await asyncio.sleep(0.02)
    assert sorted(got) == list(range(10))


async def test_everything_arrives_as_it_was_sent(bus: Bus) -> None:
    """Lost: the actor in the audit log, the trace across services, the id that makes once once."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    sent = command(name="Sicherung \N{SNOWMAN}").model_copy(
        update={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    )
    await transport.publish(sent, queue=queue)
    delivery = await transport.take(queue, 30)
    assert delivery is not None
    assert delivery.envelope == sent
    await delivery.ack()


async def test_a_command_without_a_queue_is_refused(bus: Bus) -> None:
    """Lost: a command sent before its service's first start, without a trace."""
    transport = await bus.open()
    with pytest.raises(Unroutable):
        await transport.publish(command(), queue=bus.name())
    with pytest.raises(Unroutable):
        await transport.take(bus.name(), 0.1)


async def test_depth_is_the_backlog(bus: Bus) -> None:
    """Lost: autoscaling, if waiting work were hidden in a worker's prefetch."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    for number in range(3):
        await transport.publish(command(number), queue=queue)
    assert await transport.depth(queue) == 3
    taken = await transport.take(queue, 30)
    assert (number_of(taken), await transport.depth(queue)) == (0, 2)
    again = await transport.take(queue, 30)
    assert (number_of(again), await transport.depth(queue)) == (1, 1)


async def test_take_waits_for_what_is_not_there_yet(bus: Bus) -> None:
    """Lost: an idle worker would spin, or sleep through its command."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    begun = monotonic()
    assert await transport.take(queue, 0.3) is None
    assert 0.2 < monotonic() - begun < 60
    waiting = asyncio.create_task(transport.take(queue, 60))
    await asyncio.sleep(0.2)
    await transport.publish(command(7), queue=queue)
    delivery = await asyncio.wait_for(waiting, 60)
    assert number_of(delivery) == 7


async def test_a_retry_comes_back_later_and_counted(bus: Bus) -> None:
    """Lost: a failing message would be hammered, or tried without end."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    await transport.publish(command(), queue=queue)
    for attempt, delay in ((1, 0.3), (2, 0.9)):
        delivery = await transport.take(queue, 30)
        assert delivery is not None
        assert delivery.attempt == attempt
        begun = monotonic()
        await delivery.retry("not yet")
        async with asyncio.timeout(60):
            while await transport.depth(queue) == 0:
                await asyncio.sleep(0.02)
        assert monotonic() - begun > delay * 0.7
    last = await transport.take(queue, 30)
    assert last is not None
    assert last.attempt == 3
    await last.ack()
    assert await transport.take(queue, 0.2) is None


async def test_the_last_attempt_becomes_a_dead_letter(bus: Bus) -> None:
    """Lost: a message that never succeeds, circling for ever."""
    transport = await bus.open(max_attempts=2)
    queue = await bus.queue(transport)
    await transport.publish(command(), queue=queue)
    for _ in range(2):
        delivery = await transport.take(queue, 30)
        assert delivery is not None
        await delivery.retry("the disk is full")
    letter = await dead_letter(transport, queue)
    assert "2 attempts" in letter.reason
    assert "the disk is full" in letter.reason
    assert letter.attempt == 2


async def test_a_dead_letter_is_listed_and_replayed(bus: Bus) -> None:
    """Lost: the operator's only way to repair a message that failed for good."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    sent = command(42)
    await transport.publish(sent, queue=queue)
    delivery = await transport.take(queue, 30)
    assert delivery is not None
    await delivery.dead("no such component")
    letter = await dead_letter(transport, queue)
    assert (letter.reason, letter.type) == ("no such component", "backup.run")
    assert letter.body == encode(sent)
    assert letter.time is not None
    assert await transport.take(queue, 0.1) is None
    for _ in range(30):  # listing changes nothing, however often
        assert (await dead_letter(transport, queue)).id == letter.id
    await transport.replay(letter.id)
    again = await transport.take(queue, 30)
    assert (number_of(again), again and again.attempt) == (42, 1)
    assert await dead_of(transport, queue) == []
    with pytest.raises(NotFound):
        await transport.replay(letter.id)


async def test_poison_goes_to_the_dead_letters_and_stops_nobody(bus: Bus) -> None:
    """Lost: one unreadable message would block everything behind it."""
    transport = await bus.open()
    queue = await bus.queue(transport)
    await bus.backend.inject(queue, b"\xff\x00 not a message")
    await transport.publish(command(5), queue=queue)
    assert number_of(await transport.take(queue, 30)) == 5
    letter = await dead_letter(transport, queue)
    assert letter.body == b"\xff\x00 not a message"
    assert "cannot be read" in letter.reason
    await transport.replay(letter.id)
    async with asyncio.timeout(60):
        while not (again := await dead_of(transport, queue)):
            assert await transport.take(queue, 0.5) is None
    assert [each.body for each in again] == [letter.body]


async def test_a_message_may_have_a_size_but_not_any(bus: Bus) -> None:
    """Lost: the broker's memory, or a message that one side sends and the other refuses."""
    transport = await bus.open(message_bytes=200_000)
    queue = await bus.queue(transport)
    await transport.publish(command(1, "x" * 150_000), queue=queue)
    with pytest.raises(TooLarge):
        await transport.publish(command(2, "x" * 200_000), queue=queue)
    assert number_of(await transport.take(queue, 30)) == 1
    assert await transport.take(queue, 0.1) is None


async def test_close_gives_back_what_was_not_settled(bus: Bus) -> None:
    """Lost: the message in the hands of a service that is stopped."""
    first, second = await bus.open(visibility=60.0), await bus.open()
    queue = await bus.queue(first)
    await first.publish(command(), queue=queue)
    assert await first.take(queue, 30) is not None
    await first.close()
    begun = monotonic()
    assert number_of(await second.take(queue, 60)) == 1
    assert monotonic() - begun < 40


async def test_a_released_message_is_there_at_once(bus: Bus) -> None:
    """Lost: time, when a worker hands over during its shutdown."""
    transport = await bus.open(visibility=60.0)
    queue = await bus.queue(transport)
    await transport.publish(command(), queue=queue)
    delivery = await transport.take(queue, 30)
    assert delivery is not None
    await delivery.release()
    assert number_of(await transport.take(queue, 30)) == 1


def test_the_ladder() -> None:
    """Lost: the pauses between attempts, so that an outage uses up all of them."""
    policy = Policy()
    steps = [policy.step(attempt, None) for attempt in range(1, 7)]
    assert steps == [5, 30, 120, 600, 600, 600]
    assert [policy.step(1, delay) for delay in (1, 5, 31, 9999)] == [5, 5, 120, 600]
