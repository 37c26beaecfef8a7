"""Exchanges and queues, by name. ``deploy/rabbitmq/definitions.json`` is made from this.

Work queues are quorum queues. A retry goes through ``strongroom.retry.<time>``, an exchange and a
queue of that name: when its time there is over, the broker moves it to ``strongroom.commands``
under the routing key it came with, the name of its queue. So every queue is bound there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractConnection
from pamqp.common import FieldTable

from common.bus.amqp.faults import MISSING, faults
from common.bus.transport import Policy

COMMANDS = "strongroom.commands"
EVENTS = "strongroom.events"
ANSWERS = "strongroom.answers"
RETRY = "strongroom.retry"
DEAD = "strongroom.dead"

UNLIMITED = 2**31 - 1
"""Listing dead letters delivers them; RabbitMQ 4 would drop them at 20, and 3 knows no -1."""

QUESTION_LIFE = 60.0
"""Seconds after which nobody waits for the answer any more."""

Arguments = FieldTable


@dataclass(frozen=True, slots=True)
class Exchange:
    """Topic exchanges even where keys are exact: RabbitMQ limits a login to keys on these only."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, and what fills it: pairs of exchange and key."""

    name: str
    arguments: Arguments
    bindings: tuple[tuple[str, str], ...]


def level(seconds: float) -> str:
    """The name of a step of the ladder: 300ms, 5s, 2m, 10m."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    whole = round(seconds)
    return f"{whole // 60}m" if whole % 60 == 0 else f"{whole}s"


def retry_name(seconds: float) -> str:
    """The exchange, and queue, that holds a message back for so long."""
    return f"{RETRY}.{level(seconds)}"


def _safe(dead_letter_exchange: str) -> Arguments:
    """Quorum, and never dropping: moved only when the other side has it, refused when full."""
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": dead_letter_exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def shared_exchanges(policy: Policy) -> list[Exchange]:
    """What every service needs to find."""
    ladder = [Exchange(retry_name(delay), "topic") for delay in policy.retry_delays]
    return [
        Exchange(COMMANDS, "topic"),
        Exchange(EVENTS, "topic"),
        Exchange(ANSWERS, "direct"),
        Exchange(DEAD, "fanout"),
        *ladder,
    ]


def shared_queues(policy: Policy) -> list[Queue]:
    """The ladder and the dead letters."""
    ladder = [
        Queue(
            name := retry_name(delay),
            _safe(COMMANDS) | {"x-message-ttl": round(delay * 1000)},
            ((name, "#"),),
        )
        for delay in policy.retry_delays
    ]
    dead = Queue(DEAD, {"x-queue-type": "quorum", "x-delivery-limit": UNLIMITED}, ((DEAD, ""),))
    return [*ladder, dead]


def work_queue(name: str, events: Sequence[str], policy: Policy) -> Queue:
    """A queue for commands, for events, or both."""
    return Queue(
        name,
        _safe(DEAD) | {"x-delivery-limit": policy.delivery_limit},
        ((COMMANDS, name), *((EVENTS, pattern) for pattern in events)),
    )


def question_queue(name: str) -> Queue:
    """A question lapses; it is never a dead letter."""
    arguments: Arguments = {
        "x-queue-type": "quorum",
        "x-message-ttl": round(QUESTION_LIFE * 1000),
        "x-delivery-limit": 3,
        "x-overflow": "reject-publish",
    }
    return Queue(name, arguments, ((COMMANDS, name),))


async def make_exchange(connection: AbstractConnection, exchange: Exchange) -> None:
    """Find it, or make it: a login may be allowed to find only."""
    with faults():
        try:
            async with connection.channel() as channel:
                await channel.declare_exchange(exchange.name, passive=True)
        except MISSING:
            async with connection.channel() as channel:
                await channel.declare_exchange(exchange.name, exchange.kind, durable=True)


async def make_queue(connection: AbstractConnection, queue: Queue) -> None:
    """Find it, whatever its arguments are since an operator changed them, or make it; bind it."""
    if await _missing(connection, queue.name):
        await _declare(connection, queue)
    await _bind(connection, queue)


async def make_shared(connection: AbstractConnection, policy: Policy) -> None:
    """Everything that is no service's own.

    Bound only by who makes it: a service's login may not bind the queues of all.
    """
    for exchange in shared_exchanges(policy):
        await make_exchange(connection, exchange)
    for queue in shared_queues(policy):
        if await _missing(connection, queue.name):
            await _declare(connection, queue)
            await _bind(connection, queue)


async def _missing(connection: AbstractConnection, queue: str) -> bool:
    try:
        with faults():
            async with connection.channel() as channel:
                await channel.declare_queue(queue, passive=True)
    except MISSING:
        return True
    return False


async def _declare(connection: AbstractConnection, queue: Queue) -> None:
    with faults():
        async with connection.channel() as channel:
            await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)


async def _bind(connection: AbstractConnection, queue: Queue) -> None:
    with faults():
        async with connection.channel() as channel:
            found = await channel.get_queue(queue.name, ensure=False)
            for exchange, key in queue.bindings:
                await found.bind(exchange, key)
