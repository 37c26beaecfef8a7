"""What every bus promises about events, listeners and questions."""

import asyncio
from time import monotonic

import pytest

from common.bus.transport import Unroutable
from common.errors import Unavailable
from common.messages import (
    AuditPage,
    BackupCancelled,
    Envelope,
    JobProgressed,
    QueryAudit,
    QuestionFailed,
    RepositoryCreated,
    seal,
)
from integration.buses import Bus


def cancelled(backup: str = "b") -> Envelope:
    """An event ``backup.cancelled``."""
    message = BackupCancelled(backup_id=backup, backup_name="nightly", station="main")
    return seal(message, source="backup-worker")


def progressed(done: int, current: str = "") -> Envelope:
    """An event ``job.progressed``."""
    message = JobProgressed(
        operation_id="o", kind="backup", phase="data", done_bytes=done, current=current
    )
    return seal(message, source="backup-worker")


def created() -> Envelope:
    """An event ``repository.created``."""
    return seal(RepositoryCreated(repository_id="r"), source="token-service")


async def test_an_event_reaches_every_queue_that_asked_for_it(bus: Bus) -> None:
    """Lost: the read model, the upload or the audit entry of a backup."""
    transport = await bus.open()
    every = await bus.queue(transport, "every", ["#"])
    backups = await bus.queue(transport, "backups", ["backup.*", "nothing.here"])
    other = await bus.queue(transport, "other", ["backup.*.more"])
    await transport.publish(cancelled())
    await transport.publish(created())
    assert [await transport.depth(name) for name in (every, backups, other)] == [2, 1, 0]
    delivery = await transport.take(backups, 30)
    assert delivery is not None
    assert delivery.envelope.type == "backup.cancelled"


async def test_an_event_without_a_listener_is_no_error(bus: Bus) -> None:
    """Lost: every publisher, while no one is interested."""
    transport = await bus.open()
    await transport.publish(created())


async def test_declaring_again_adds_patterns_and_keeps_messages(bus: Bus) -> None:
    """Lost: waiting events at each restart of a service."""
    transport = await bus.open()
    queue = await bus.queue(transport, "events", ["backup.*"])
    await transport.publish(cancelled())
    await transport.declare(queue, ["backup.*", "repository.*"])
    await transport.publish(created())
    assert await transport.depth(queue) == 2


async def test_two_instances_of_a_service_share_its_events(bus: Bus) -> None:
    """Lost: each event would be handled once for each replica."""
    first, second = await bus.open(), await bus.open()
    queue = await bus.queue(first, "events", ["backup.*"])
    await second.declare(queue, ["backup.*"])
    await first.publish(cancelled())
    taken = [await first.take(queue, 30), await second.take(queue, 0.3)]
    assert sum(delivery is not None for delivery in taken) == 1


async def test_a_listener_hears_what_fits_from_now_on(bus: Bus) -> None:
    """Lost: the progress that a browser follows."""
    sender, listener = await bus.open(), await bus.open("gateway")
    async with listener.listen(["job.*"]) as former, asyncio.timeout(60):
        await sender.publish(progressed(1))
        await anext(aiter(former))
    async with listener.listen(["job.*", "backup.*"]) as events:
        for envelope in (progressed(2), created(), cancelled()):
            await sender.publish(envelope)
        async with asyncio.timeout(60):
            heard = [await anext(aiter(events)) for _ in range(2)]
    assert [envelope.type for envelope in heard] == ["job.progressed", "backup.cancelled"]
    assert isinstance(heard[0].data, JobProgressed)
    assert heard[0].data.done_bytes == 2
    assert events.gaps == 0


async def test_a_slow_listener_misses_the_oldest_and_knows(bus: Bus) -> None:
    """Lost: the memory of the gateway, or a browser that shows old progress as new."""
    transport = await bus.open(listen_buffer=5)
    async with transport.listen(["job.*"]) as events:
        for number in range(40):
            await transport.publish(progressed(number))
        heard: list[int] = []
        async with asyncio.timeout(60):
            while not events.gaps:
                await asyncio.sleep(0.05)
            async for envelope in events:
                assert isinstance(envelope.data, JobProgressed)
                heard.append(envelope.data.done_bytes)
                if heard[-1] == 39:
                    break
    assert heard == sorted(heard)
    assert len(heard) < 40


async def test_a_listener_hears_a_large_event(bus: Bus) -> None:
    """Lost: events over the 8000 bytes that a notification of PostgreSQL holds."""
    transport = await bus.open()
    async with transport.listen(["job.*"]) as events:
        await transport.publish(progressed(1, current="x" * 100_000))
        heard = await asyncio.wait_for(anext(aiter(events)), 60)
    assert isinstance(heard.data, JobProgressed)
    assert len(heard.data.current) == 100_000


async def test_listening_ends_with_the_transport(bus: Bus) -> None:
    """Lost: a shutdown that waits for a browser."""
    transport = await bus.open()
    begun = asyncio.Event()

    async def listen() -> int:
        async with transport.listen(["job.*"]) as events:
            begun.set()
            return len([envelope async for envelope in events])

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(begun.wait(), 60)
    await transport.close()
    assert await asyncio.wait_for(listening, 60) == 0


def question() -> Envelope:
    """A question for the audit log."""
    return seal(QueryAudit(limit=7), source="gateway")


async def test_a_question_is_answered(bus: Bus) -> None:
    """Lost: every request that one service makes of another."""
    asker, answerer = await bus.open("gateway"), await bus.open()
    queue = bus.name("questions")

    async def handler(envelope: Envelope) -> Envelope:
        assert isinstance(envelope.data, QueryAudit)
        page = AuditPage(entries=({"note": "y" * 20_000},), total=envelope.data.limit)
        return seal(page, source="audit-sink")

    await answerer.answer(queue, handler)
    answers = await asyncio.gather(*(asker.ask(question(), queue, 60) for _ in range(5)))
    assert [getattr(answer.data, "total", None) for answer in answers] == [7] * 5


async def test_a_question_that_fails_is_answered_so(bus: Bus) -> None:
    """Lost: the asker's time, and the secret that an error's text may hold."""
    transport = await bus.open()
    queue = bus.name("questions")

    async def handler(envelope: Envelope) -> Envelope:
        raise ValueError("secret")

    await transport.answer(queue, handler)
    answer = await transport.ask(question(), queue, 60)
    assert isinstance(answer.data, QuestionFailed)
    assert "secret" not in answer.model_dump_json()


async def test_a_question_that_nobody_answers_ends_in_time(bus: Bus) -> None:
    """Lost: a request that hangs; or an old question acted on when nobody waits any more."""
    transport = await bus.open()
    queue = bus.name("questions")
    with pytest.raises(Unroutable):
        await transport.ask(question(), queue, 30)

    async def never(envelope: Envelope) -> Envelope:
        pytest.fail("a lapsed question was answered")

    await (await transport.answer(queue, never)).stop(1)
    begun = monotonic()
    with pytest.raises(Unavailable, match=r"No answer to audit\.query"):
        await transport.ask(question(), queue, 3.0)
    assert monotonic() - begun < 60
    async with asyncio.timeout(60):
        while await transport.depth(queue):
            await asyncio.sleep(0.05)
