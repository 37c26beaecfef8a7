"""deploy/rabbitmq: what each login can do on the broker, and what it cannot."""

import runpy
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aio_pika
import pytest
from aiormq.exceptions import ChannelAccessRefused
from pydantic import SecretStr

from common.bus.amqp import AmqpTransport
from common.bus.transport import Policy
from common.errors import Forbidden
from common.messages import (
    AuditRecorded,
    BackupCancelled,
    Envelope,
    GetRepositoryConfig,
    RepositoryConfig,
    RunBackup,
    UploadCompleted,
    seal,
)

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "rabbitmq"
QUEUE = "backup-worker.commands.main"
Open = Callable[[str], AmqpTransport]

COMMAND = seal(RunBackup(backup_id="1", backup_name="nightly"), source="gateway")
CANCELLED = seal(
    BackupCancelled(backup_id="1", backup_name="nightly", station="main"), source="backup-worker"
)
AUDIT = seal(AuditRecorded(event_type="login", action="login"), source="gateway")
UPLOADED = seal(
    UploadCompleted(backup_id="1", destination="d", objects=1, size_bytes=1, duration_seconds=1),
    source="storage-uploader",
)


@pytest.fixture
async def as_(broker_login: Callable[[str], str]) -> AsyncIterator[Open]:
    """``as_(name)`` is that login's transport, not yet started."""
    opened: list[AmqpTransport] = []

    def open_as(name: str) -> AmqpTransport:
        policy = Policy(publish_timeout=60, connect_timeout=60)
        opened.append(AmqpTransport(SecretStr(broker_login(name)), name=name, policy=policy))
        return opened[-1]

    yield open_as
    for transport in opened:
        await transport.close()


def test_the_definitions_are_those_of_the_code() -> None:
    """Lost: a broker set up for an older version, on which services find no exchange."""
    generator = runpy.run_path(str(ROOT / ".ci" / "rabbitmq_definitions.py"))
    assert (DEPLOY / "definitions.json").read_text() == generator["text"]()


async def test_services_work_together_with_their_own_logins(as_: Open) -> None:
    """Lost: the deployment, if least privilege were less than is needed."""
    gateway, worker, keys = as_("gateway"), as_("backup-worker"), as_("token-service")
    for transport in (gateway, worker, keys):
        await transport.start()
    await gateway.declare("gateway.events", ["backup.*", "job.*"])
    await worker.declare(QUEUE)
    await gateway.publish(COMMAND, queue=QUEUE)
    first = await worker.take(QUEUE, 30)
    assert first is not None
    await first.retry("not yet")
    await gateway.publish(COMMAND, queue=QUEUE)
    second = await worker.take(QUEUE, 30)
    assert second is not None
    await second.dead("broken")

    async def config(question: Envelope) -> Envelope:
        return seal(RepositoryConfig(repository_id="r", config=""), source="token-service")

    await keys.answer(GetRepositoryConfig.queue, config)
    asked = seal(GetRepositoryConfig(), source="backup-worker")
    answer = await worker.ask(asked, GetRepositoryConfig.queue, 60)
    assert isinstance(answer.data, RepositoryConfig)
    async with gateway.listen(["backup.*"]) as events:
        await worker.publish(CANCELLED)
        assert (await anext(aiter(events))).type == "backup.cancelled"
    assert await gateway.take("gateway.events", 30) is not None


async def test_the_operator_lists_and_replays_and_nothing_else(as_: Open) -> None:
    """Lost: repair without an administrator's login."""
    worker, operator = as_("backup-worker"), as_("operator")
    await worker.start()
    await operator.start()
    letters = [letter for letter in await operator.dead_letters() if letter.queue == QUEUE]
    assert [letter.reason for letter in letters] == ["broken"]
    await operator.replay(letters[0].id)
    replayed = await worker.take(QUEUE, 30)
    assert replayed is not None
    await replayed.ack()
    with pytest.raises(Forbidden):
        await operator.publish(CANCELLED)
    with pytest.raises(Forbidden):
        await operator.declare("operator.own")


@pytest.mark.parametrize("name", ["audit-sink", "storage-uploader", "token-service"])
async def test_a_service_sends_no_commands_that_are_not_its_own(as_: Open, name: str) -> None:
    """Lost: all others, once the least of the services is broken into."""
    transport = as_(name)
    await transport.start()
    with pytest.raises(Forbidden):
        await transport.publish(COMMAND, queue=QUEUE)


async def test_a_service_tells_and_hears_no_others_events(as_: Open) -> None:
    """Lost: events that can be believed; an audit log that only the auditor reads."""
    worker = as_("backup-worker")
    await worker.start()
    with pytest.raises(Forbidden):
        await worker.publish(UPLOADED)
    with pytest.raises(Forbidden):
        await worker.declare("backup-worker.ears", ["audit.*"])
    with pytest.raises(Forbidden):
        await worker.declare("gateway.stolen")


async def test_a_subscriber_from_outside_only_listens(broker_login: Callable[[str], str]) -> None:
    """Lost: the promise that a dashboard's login cannot start a restore or read the audit log."""
    async with await aio_pika.connect(broker_login("subscriber")) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("subscriber.dashboard", exclusive=True)
        await queue.bind("strongroom.events", "backup.*")
        for exchange, key in (("strongroom.events", "backup.done"), ("strongroom.commands", QUEUE)):
            refused = await connection.channel()
            target = await refused.get_exchange(exchange, ensure=False)
            with pytest.raises(ChannelAccessRefused):
                await target.publish(aio_pika.Message(b"{}"), key)
        for key in ("#", "audit.*"):
            refused = await connection.channel()
            again = await refused.get_queue("subscriber.dashboard", ensure=False)
            with pytest.raises(ChannelAccessRefused):
                await again.bind("strongroom.events", key)
