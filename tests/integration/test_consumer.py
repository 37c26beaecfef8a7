"""Handlers on a real database: each message acts once, and what cannot act is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from common.bus.memory import Broker
from common.bus.transport import Policy
from common.config import ServiceSettings
from common.consumer import purge
from common.errors import Conflict, NotFound, Unavailable, WrongKey
from common.messages import (
    BackupCancelled,
    BackupStarted,
    CancelBackup,
    GetRepositoryConfig,
    Message,
    RepositoryConfig,
    RunBackup,
    seal,
)
from common.outbox import Context
from common.service import Runtime, Service, hosted
from integration.workers import Bus, until

Handler = Callable[[Context, Any], Any]
QUEUE = "gateway.events"
QUESTIONS = "token-service.questions"
EVENT = BackupCancelled(backup_id="7", backup_name="n", station="main")


class Counter:
    """Counts in the database how often it acted; raises what it is given first."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.calls = 0

    async def __call__(self, context: Context, message: Message) -> None:
        self.calls += 1
        await context.conn.execute("INSERT INTO acted VALUES ($1)", message.type)
        if self.errors:
            raise self.errors.pop(0)


class Host:
    """The gateway in miniature."""

    def __init__(self, url: str, migrations: Path) -> None:
        self.url = SecretStr(url)
        self.migrations = migrations
        policy = Policy(retry_delays=(0.05,), max_attempts=3)
        self.bus = Bus(Broker(), "gateway")
        self.bus._policy = policy

    @asynccontextmanager
    async def running(
        self, wire: Callable[[Runtime[ServiceSettings]], None]
    ) -> AsyncIterator[Runtime[ServiceSettings]]:
        @asynccontextmanager
        async def wired(runtime: Runtime[ServiceSettings]) -> AsyncIterator[None]:
            await runtime.pool.execute("CREATE TABLE IF NOT EXISTS acted (type text)")
            await runtime.pool.execute("TRUNCATE acted, inbox")
            wire(runtime)
            yield

        settings = ServiceSettings(database_url=self.url, shutdown_grace_seconds=1)
        service = Service("gateway", ServiceSettings, wired, self.migrations)
        async with hosted(service, settings, transport=self.bus) as runtime:
            yield runtime

    async def acted(self) -> int:
        connection = await asyncpg.connect(self.url.get_secret_value())
        try:
            return int(await connection.fetchval("SELECT count(*) FROM acted"))
        finally:
            await connection.close()


@pytest.fixture
async def host(database_url: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(database_url("gateway"), tmp_path)
    await host.bus.start()
    yield host
    await host.bus.close()


def consuming(handler: Handler) -> Callable[[Runtime[ServiceSettings]], None]:
    def wire(runtime: Runtime[ServiceSettings]) -> None:
        runtime.consume(QUEUE, {BackupCancelled: handler}, events=["backup.*"], concurrency=3)

    return wire


async def test_a_message_delivered_again_acts_once(host: Host) -> None:
    """At-least-once delivery must not count a thing twice, even at the same moment."""
    counter = Counter()
    async with host.running(consuming(counter)):
        envelope = seal(EVENT, source="backup-worker")
        for _ in range(5):
            await host.bus.publish(envelope)
        await until(lambda: not host.bus._held and not host.bus._broker.queues[QUEUE].items)
        await asyncio.sleep(0.2)
    assert counter.calls == 1
    assert await host.acted() == 1


async def test_a_permanent_error_is_a_dead_letter_with_its_reason(host: Host) -> None:
    """Trying again would not help, and dropping it would hide that something was not done."""
    counter = Counter()
    counter.errors = [Conflict("It is gone.")]
    async with host.running(consuming(counter)):
        await host.bus.publish(seal(EVENT, source="backup-worker"))
        await until(host.bus.dead_letters)
        (letter,) = await host.bus.dead_letters()
        assert letter.reason == "conflict: It is gone."
        assert await host.acted() == 0
        await host.bus.replay(letter.id)
        await until(host.acted)
    assert counter.calls == 2


async def test_another_error_climbs_the_ladder_and_leaves_nothing_behind(host: Host) -> None:
    """Half an effect of a failed attempt would be doubled by the next one."""
    counter = Counter()
    counter.errors = [ValueError("password=hunter2"), ValueError("again")]
    async with host.running(consuming(counter)):
        await host.bus.publish(seal(EVENT, source="backup-worker"))
        await until(host.acted)
    assert counter.calls == 3
    assert await host.acted() == 1


async def test_the_reason_of_a_dead_letter_holds_no_text_of_unknown_errors(host: Host) -> None:
    """Errors of libraries repeat their input; a dead letter is shown to operators."""
    counter = Counter()
    counter.errors = [ValueError("password=hunter2")] * 3
    async with host.running(consuming(counter)):
        await host.bus.publish(seal(EVENT, source="backup-worker"))
        await until(host.bus.dead_letters)
        (letter,) = await host.bus.dead_letters()
    assert "ValueError" in letter.reason
    assert "hunter2" not in letter.reason


async def test_a_lost_database_costs_no_attempt(host: Host) -> None:
    """A restart of the database must not push messages towards the dead letters."""
    calls = 0

    async def handler(context: Context, message: BackupCancelled) -> None:
        nonlocal calls
        calls += 1
        await context.conn.execute("INSERT INTO acted VALUES ($1)", message.type)
        if calls < 5:
            await context.conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with host.running(consuming(handler)):
        await host.bus.publish(seal(EVENT, source="backup-worker"))
        await until(host.acted)
        assert await host.bus.dead_letters() == []
    assert calls == 5


@pytest.mark.parametrize("error", [Unavailable("Away."), ConnectionResetError(), TimeoutError()])
async def test_something_else_that_is_away_does_not_hold_up_the_queue(
    host: Host, error: Exception
) -> None:
    """One destination that does not answer must not make all other events wait a minute."""
    counter = Counter()
    counter.errors = [error] * 3
    async with host.running(consuming(counter)):
        await host.bus.publish(seal(EVENT, source="backup-worker"))
        await until(host.bus.dead_letters, 40)
    assert counter.calls == 3


async def test_an_event_that_nobody_handles_is_passed_over(host: Host) -> None:
    """Patterns are broad; what a service does not care for must not fill the dead letters."""
    counter = Counter()
    async with host.running(consuming(counter)):
        started = BackupStarted(backup_id="7", backup_name="n", station="main", worker="w")
        await host.bus.publish(seal(started, source="backup-worker"))
        await until(lambda: not host.bus._held and not host.bus._broker.queues[QUEUE].items)
    assert await host.bus.dead_letters() == []


async def test_a_command_that_nobody_handles_is_kept(host: Host) -> None:
    """A command asks for something: dropped silently, it would be waited for in vain."""
    async with host.running(consuming(Counter())):
        command = RunBackup(backup_id="7", backup_name="n")
        await host.bus.publish(seal(command, source="gateway"), queue=QUEUE)
        await until(host.bus.dead_letters)
    (letter,) = await host.bus.dead_letters()
    assert letter.reason == "gateway does not handle backup.run"


async def test_a_question_is_answered_in_a_transaction(host: Host) -> None:
    """The keyring makes the repository's keys when asked: key and answer, or neither."""

    async def answer(context: Context, question: GetRepositoryConfig) -> RepositoryConfig:
        await context.conn.execute("INSERT INTO acted VALUES ($1)", question.type)
        await context.send(CancelBackup(backup_id=context.actor.user))
        return RepositoryConfig(repository_id="r", config="")

    def wire(runtime: Runtime[ServiceSettings]) -> None:
        runtime.answer(QUESTIONS, {GetRepositoryConfig: answer})

    async with host.running(wire) as runtime:
        got = await runtime.ask(GetRepositoryConfig())
        assert got == RepositoryConfig(repository_id="r", config="")
        assert await host.acted() == 1
        assert await runtime.pool.fetchval("SELECT count(*) FROM outbox") == 1
        await runtime.pool.execute("TRUNCATE outbox")


@pytest.mark.parametrize("raised", [NotFound("No such key."), WrongKey(), Unavailable("Later.")])
async def test_the_asker_gets_the_error_of_the_answerer(host: Host, raised: Exception) -> None:
    """A worker decides by the kind of error whether to try again."""

    async def answer(context: Context, question: GetRepositoryConfig) -> RepositoryConfig:
        await context.conn.execute("INSERT INTO acted VALUES ('x')")
        raise raised

    def wire(runtime: Runtime[ServiceSettings]) -> None:
        runtime.answer(QUESTIONS, {GetRepositoryConfig: answer})

    async with host.running(wire) as runtime:
        with pytest.raises(type(raised)) as caught:
            await runtime.ask(GetRepositoryConfig())
    assert str(caught.value) == str(raised)
    assert await host.acted() == 0


async def test_old_inbox_rows_go_and_young_ones_stay(host: Host) -> None:
    """The inbox must not grow for ever, nor forget what may still come again."""
    async with host.running(consuming(Counter())) as runtime:
        await runtime.pool.execute(
            "INSERT INTO inbox SELECT 'q', gen_random_uuid(), now() - make_interval(days => n)"
            " FROM generate_series(1, 30) n"
        )
        await purge(runtime.pool)
        count = partial(runtime.pool.fetchval, "SELECT count(*) FROM inbox")
        assert await count() == 13
