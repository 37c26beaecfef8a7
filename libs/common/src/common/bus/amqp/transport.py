"""The bus on RabbitMQ."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from pydantic import SecretStr

from common.bus.amqp import topology
from common.bus.amqp.consumption import AmqpConsumption
from common.bus.amqp.dead import DeadLetters
from common.bus.amqp.delivery import AmqpDelivery, read
from common.bus.amqp.faults import FAULTS, MISSING, faults
from common.bus.amqp.link import Link
from common.bus.amqp.listening import Ears
from common.bus.amqp.publisher import Publisher, message_of
from common.bus.amqp.questions import Questions, Replier
from common.bus.size import body_of
from common.bus.transport import (
    Answerer,
    Consumption,
    DeadLetter,
    Handler,
    Listening,
    Policy,
    Unroutable,
)
from common.messages import Envelope, Event

log = structlog.get_logger(__name__)

FIRST_LOOK = 0.05
LONGEST_PAUSE = 1.0
SHORTEST_GET, LONGEST_GET = 2.0, 10.0


class AmqpTransport:
    """A service's connection to RabbitMQ; ``name`` is the service's, ``tls`` for ``amqps``."""

    def __init__(
        self,
        url: SecretStr,
        *,
        name: str,
        policy: Policy | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._name = name
        self._policy = policy or Policy()
        self._queues: dict[str, topology.Queue] = {}
        self._link = Link(url, name, self._prepare, tls)
        self._publisher = Publisher(self._link, self._policy)
        self._questions = Questions(self._link, self._publisher, self._policy, name)
        self._dead = DeadLetters(self._link, self._publisher)
        self._ears = Ears(self._link, self._policy, name)
        self._consumptions: list[Consumption] = []

    async def start(self) -> None:
        await self._link.open(self._policy.connect_timeout)

    async def close(self) -> None:
        for consumption in self._consumptions:
            await consumption.stop(0)
        self._consumptions.clear()
        await self._questions.close()
        self._ears.close()
        await self._link.close()

    def healthy(self) -> str | None:
        return self._link.fault

    async def declare(self, queue: str, events: Sequence[str] = ()) -> None:
        await self._make(topology.work_queue(queue, events, self._policy))

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
        stored = not isinstance(envelope.data, Event) or envelope.data.stored
        message = message_of(envelope, body_of(envelope, self._policy), stored=stored)
        if queue is None:
            await self._publisher.send(message, topology.EVENTS, envelope.type, mandatory=False)
        else:
            await self._publisher.send(message, topology.COMMANDS, queue)

    async def depth(self, queue: str) -> int:
        async def count(connection: AbstractConnection) -> int:
            with faults():
                async with connection.channel() as channel:
                    found = await channel.declare_queue(queue, passive=True)
                    return found.declaration_result.message_count or 0

        try:
            return await self._link.patiently("count", self._policy.publish_timeout, count)
        except MISSING:
            raise Unroutable(f"There is no queue {queue} yet.") from None

    async def take(self, queue: str, wait: float) -> AmqpDelivery | None:
        now = asyncio.get_running_loop().time
        deadline = now() + wait
        pause = FIRST_LOOK
        while True:
            message = await self._get(queue, wait)
            if message is not None:
                delivery = await read(message, queue, self._publisher, self._policy)
                if delivery is not None:
                    return delivery
                continue
            if (remaining := deadline - now()) <= 0:
                return None
            await asyncio.sleep(min(pause, remaining))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def consume(self, queue: str, handler: Handler, *, concurrency: int = 1) -> Consumption:
        known = self._queues.get(queue) or topology.work_queue(queue, (), self._policy)
        return self._consume(known, handler, concurrency)

    async def ask(self, question: Envelope, queue: str, wait: float) -> Envelope:
        return await self._questions.ask(question, queue, wait)

    async def answer(self, queue: str, handler: Answerer, *, concurrency: int = 4) -> Consumption:
        made = topology.question_queue(queue)
        await self._make(made)
        replier = Replier(self._publisher, self._policy, handler, self._name)
        return self._consume(made, replier.respond, concurrency)

    def listen(self, patterns: Sequence[str]) -> AbstractAsyncContextManager[Listening]:
        return self._ears.listen(patterns)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return await self._dead.list(limit)

    async def replay(self, letter: str) -> None:
        await self._dead.replay(letter)

    def _consume(self, queue: topology.Queue, handler: Handler, concurrency: int) -> Consumption:
        consumption = AmqpConsumption(
            self._link, self._publisher, self._policy, queue, handler, concurrency
        )
        self._consumptions.append(consumption)
        return consumption

    async def _make(self, queue: topology.Queue) -> None:
        """Make it now, and again on each new connection: the broker may be a new one."""
        await self._link.patiently(
            f"make the queue {queue.name}",
            self._policy.connect_timeout,
            lambda connection: topology.make_queue(connection, queue),
        )
        self._queues[queue.name] = queue

    async def _prepare(self, connection: AbstractConnection) -> None:
        await topology.make_shared(connection, self._policy)
        for queue in self._queues.values():
            await topology.make_queue(connection, queue)

    async def _get(self, queue: str, wait: float) -> AbstractIncomingMessage | None:
        try:
            async with asyncio.timeout(min(max(wait, SHORTEST_GET), LONGEST_GET)):
                channel = await self._link.channel("take")
                found = await channel.get_queue(queue, ensure=False)
                with faults():
                    return await found.get(fail=False)
        except MISSING:
            if queue not in self._queues:
                raise Unroutable(f"There is no queue {queue} yet.") from None
            await self._make(self._queues[queue])
        except FAULTS as error:
            log.info("nothing taken", queue=queue, reason=type(error).__name__)
        return None
