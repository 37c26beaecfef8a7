"""The outbox on a real database: nothing is lost, nothing overtakes, nothing blocks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import asyncpg
import pytest
from pydantic import SecretStr

from common import db
from common.bus.memory import Broker
from common.bus.transport import TooLarge
from common.db.pool import close
from common.messages import (
    Actor,
    AuditRecorded,
    BackupCancelled,
    CancelBackup,
    Envelope,
    JobProgressed,
)
from common.outbox import Relay, unit_of_work
from common.service.hosting import COMMON_MIGRATIONS
from integration.workers import Bus, until

ACTOR = Actor(user="ann", station="till-1", address="192.0.2.7")


@pytest.fixture
async def pool(database_url: Callable[[str], str]) -> AsyncIterator[db.Pool]:
    url = SecretStr(database_url("gateway"))
    opened = await db.connect(url, name="gateway", schema="gateway")
    await db.migrate(opened, ("common", COMMON_MIGRATIONS))
    await opened.execute("TRUNCATE outbox")
    yield opened
    await close(opened)


@pytest.fixture
async def bus() -> Bus:
    bus = Bus(Broker(), "gateway")
    await bus.start()
    return bus


async def relaying(pool: db.Pool, bus: Bus) -> AsyncIterator[Relay]:
    listener = db.Listener(pool)
    relay = Relay("gateway", pool, bus, listener.on("gateway_outbox"))
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(relay.run())]
    yield relay
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.fixture
def only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No relay looks by itself: before ``relay``, which would wait for its first look."""
    monkeypatch.setattr("common.outbox.relay._POLL_SECONDS", 3600.0)


@pytest.fixture
async def relay(pool: db.Pool, bus: Bus) -> AsyncIterator[Relay]:
    async for each in relaying(pool, bus):
        yield each


@pytest.fixture
async def second_relay(pool: db.Pool, bus: Bus) -> AsyncIterator[Relay]:
    async for each in relaying(pool, bus):
        yield each


def event(number: int) -> BackupCancelled:
    return BackupCancelled(backup_id=f"{number:04}", backup_name="n", station="main")


async def write(pool: db.Pool, numbers: range) -> None:
    async with unit_of_work(pool, "gateway", actor=ACTOR) as context:
        for number in numbers:
            await context.send(event(number))


def subjects(envelopes: list[Envelope]) -> list[str]:
    return [each.subject for each in envelopes]


async def test_messages_leave_at_once_in_order_and_only_once(
    only_when_told: None, pool: db.Pool, bus: Bus, relay: Relay, second_relay: Relay
) -> None:
    """A read model fed out of order or twice shows what is not so; two replicas must not do it."""
    await asyncio.sleep(0.3)
    for start in range(0, 200, 20):
        await write(pool, range(start, start + 20))
    await until(lambda: len(bus.published) >= 200)
    assert subjects(bus.published) == [f"{number:04}" for number in range(200)]
    await until(partial(is_empty, pool))
    assert bus.published[0].actor == ACTOR
    assert bus.published[0].source == "gateway"


async def is_empty(pool: db.Pool) -> bool:
    return not await pool.fetchval("SELECT count(*) FROM outbox")


async def test_what_rolls_back_is_not_told(pool: db.Pool, bus: Bus, relay: Relay) -> None:
    """An event about something that did not happen is worse than none."""
    with pytest.raises(asyncpg.DivisionByZeroError):  # noqa: PT012 - the second statement is to fail
        async with unit_of_work(pool, "gateway") as context:
            await context.send(event(1))
            await context.conn.execute("SELECT 1/0")
    await write(pool, range(2, 3))
    await until(lambda: bus.published)
    assert subjects(bus.published) == ["0002"]


async def test_messages_wait_for_the_bus(pool: db.Pool, bus: Bus, relay: Relay) -> None:
    """A broker that restarts must not cost a message nor its place."""
    bus.down = True
    await write(pool, range(5))
    await asyncio.sleep(0.5)
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE retry_at IS NULL") == 5
    bus.down = False
    await until(lambda: len(bus.published) == 5)
    assert subjects(bus.published) == [f"{number:04}" for number in range(5)]


async def test_a_refused_message_is_parked_and_blocks_nobody(
    pool: db.Pool, bus: Bus, relay: Relay
) -> None:
    """One command for a service that was never started must not stop all the others."""
    async with unit_of_work(pool, "gateway") as context:
        await context.send(CancelBackup(backup_id="x"))
        await context.send(event(1))
    await until(lambda: bus.published)
    await until(relay.measure)
    warning = await relay.measure()
    assert warning is not None
    assert "1 messages are parked: There is no queue backup-worker.control" in warning
    await bus.declare("backup-worker.control")
    await until(lambda: len(bus.published) == 2)
    await until(partial(is_empty, pool))
    assert await relay.measure() is None


async def test_a_message_that_can_never_go_stays_for_the_operator(
    pool: db.Pool, bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be neither sent nor dropped silently has to be seen."""

    async def refuse(envelope: Envelope, *, queue: str | None = None) -> None:
        raise TooLarge

    monkeypatch.setattr(bus, "publish", refuse)
    await write(pool, range(1))
    parked = "SELECT reason FROM outbox WHERE retry_at = 'infinity'"
    await until(lambda: pool.fetchval(parked))
    assert "larger" in await pool.fetchval(parked)


async def test_a_lost_database_connection_costs_nothing(
    pool: db.Pool, bus: Bus, relay: Relay
) -> None:
    """After a restart of the database the relay goes on by itself."""
    await write(pool, range(1))
    await until(lambda: bus.published)
    await pool.expire_connections()
    killer = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    await pool.execute(killer + " AND usename = current_user")
    await until(lambda: write_safely(pool, range(1, 2)))
    await until(lambda: "0001" in subjects(bus.published))


async def write_safely(pool: db.Pool, numbers: range) -> bool:
    try:
        await write(pool, numbers)
    except Exception as error:
        if not db.is_transient(error):
            raise
        return False
    return True


async def test_a_file_name_with_odd_characters_passes(
    pool: db.Pool, bus: Bus, relay: Relay
) -> None:
    """PostgreSQL's jsonb refuses U+0000, and a message must not be lost for it."""
    name = "a\x00b\n\u2028ü"
    async with unit_of_work(pool, "gateway") as context:
        await context.send(BackupCancelled(backup_id="odd", backup_name=name, station="main"))
    await until(lambda: bus.published)
    message = bus.published[0].data
    assert isinstance(message, BackupCancelled)
    assert message.backup_name == name


async def test_a_message_that_is_too_large_fails_its_transaction(pool: db.Pool) -> None:
    """Parked it would leave the operation without an end; refused, its sender can say why."""
    large = BackupCancelled(backup_id="1", backup_name="x" * (5 << 20), station="main")
    with pytest.raises(TooLarge):
        async with unit_of_work(pool, "gateway") as context:
            await context.send(large)


async def test_an_audit_entry_has_the_actor_of_its_transaction(
    pool: db.Pool, bus: Bus, relay: Relay
) -> None:
    """An entry without who and where is worthless."""
    async with unit_of_work(pool, "gateway", actor=ACTOR) as context:
        await context.audit(
            "delete", event_type="backup_deleted", entity_type="backup", entity_id="7"
        )
    await until(lambda: bus.published)
    entry = bus.published[0].data
    assert isinstance(entry, AuditRecorded)
    assert (entry.user_id, entry.station_id, entry.ip_address) == ("ann", "till-1", "192.0.2.7")
    assert (entry.action, entry.entity_id, entry.success) == ("delete", "7", True)


async def test_progress_cannot_be_sent_as_if_it_were_stored(pool: db.Pool) -> None:
    """An unstored event in the outbox would promise what the bus does not keep."""
    progress = JobProgressed(operation_id="1", kind="backup", phase="reading")
    with pytest.raises(TypeError):
        async with unit_of_work(pool, "gateway") as context:
            await context.send(progress)
