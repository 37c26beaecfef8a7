"""The bus within one process and without a server: for tests of what uses it.

It passes the same conformance suite as the others, and forgets everything with its ``Broker``.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from common.bus.answers import answer_of
from common.bus.buffer import Buffer
from common.bus.patterns import expression, matches
from common.bus.size import body_of
from common.bus.transport import (
    Answerer,
    Consumption,
    DeadLetter,
    Delivery,
    Handler,
    Policy,
    Unroutable,
)
from common.bus.workers import Workers
from common.errors import NotFound, Unavailable
from common.messages import Envelope, Unreadable, decode, uuid7

Patterns = list[re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Item:
    """A message in a queue; ``deaths`` counts consumers that never settled it."""

    body: bytes = field(repr=False)
    type: str
    attempt: int = 1
    deaths: int = 0
    answer: "asyncio.Future[bytes] | None" = None


class Queue:
    """Messages in order, and who is told of a new one."""

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.patterns: Patterns = []
        self._news = asyncio.Condition()

    async def put(self, item: Item, *, first: bool = False) -> None:
        """Add a message behind the others, or give one back before them."""
        async with self._news:
            (self.items.appendleft if first else self.items.append)(item)
            self._news.notify_all()

    async def get(self) -> Item:
        """The first message, as soon as there is one."""
        async with self._news:
            await self._news.wait_for(lambda: self.items)
            return self.items.popleft()


class Broker:
    """What all transports of a test share."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.dead: dict[str, DeadLetter] = {}
        self.ears: list[tuple[Patterns, Buffer]] = []
        self.later: set[asyncio.Task[None]] = set()

    def queue(self, name: str) -> Queue:
        """The queue of that name, or Unroutable."""
        if name not in self.queues:
            raise Unroutable(f"There is no queue {name} yet.")
        return self.queues[name]

    def bury(self, item: Item, queue: str, reason: str) -> None:
        """Keep ``item`` as a dead letter."""
        letter = DeadLetter(
            str(uuid7()), queue, reason, item.type, item.attempt, datetime.now(UTC), item.body
        )
        self.dead[letter.id] = letter

    def put_later(self, item: Item, queue: str, delay: float) -> None:
        """Into its queue after ``delay`` seconds."""

        async def wait() -> None:
            await asyncio.sleep(delay)
            await self.queue(queue).put(item)

        task = asyncio.create_task(wait())
        self.later.add(task)
        task.add_done_callback(self.later.discard)


class MemoryDelivery:
    """A message in a consumer's hands."""

    def __init__(
        self, item: Item, queue: str, broker: Broker, policy: Policy, done: Callable[[], None]
    ) -> None:
        self.item = item
        self.envelope = decode(item.body)
        self.attempt = item.attempt + item.deaths
        self.settled = False
        self._queue = queue
        self._broker = broker
        self._policy = policy
        self._done = done

    def _settle(self) -> bool:
        first, self.settled = not self.settled, True
        self._done()
        return first

    async def ack(self) -> None:
        self._settle()

    async def retry(self, reason: str, delay: float | None = None) -> None:
        if self.attempt >= self._policy.max_attempts:
            await self.dead(f"Given up after {self.attempt} attempts: {reason}")
        elif self._settle():
            item = replace(self.item, attempt=self.attempt + 1, deaths=0)
            self._broker.put_later(item, self._queue, self._policy.step(self.attempt, delay))

    async def dead(self, reason: str) -> None:
        if self._settle():
            self._broker.bury(replace(self.item, attempt=self.attempt), self._queue, reason)

    async def release(self) -> None:
        if self._settle():
            await self._broker.queue(self._queue).put(self.item, first=True)

    async def lose(self) -> None:
        """Its consumer died."""
        item = replace(self.item, deaths=self.item.deaths + 1)
        if self._settle():
            if item.deaths > self._policy.delivery_limit:
                self._broker.bury(item, self._queue, "Each consumer that took it died.")
            else:
                await self._broker.queue(self._queue).put(item, first=True)


class MemoryTransport:
    """One service's hold on the ``broker``."""

    def __init__(self, broker: Broker, *, name: str, policy: Policy | None = None) -> None:
        self._broker = broker
        self._name = name
        self._policy = policy or Policy()
        self._held: set[MemoryDelivery] = set()
        self._consumptions: list[Consumption] = []
        self._buffers: set[Buffer] = set()
        self._fault: str | None = "The bus is not started."

    async def start(self) -> None:
        self._fault = None

    async def close(self) -> None:
        for consumption in self._consumptions:
            await consumption.stop(0)
        for buffer in self._buffers:
            buffer.close()
        for delivery in list(self._held):
            await delivery.lose()
        self._fault = "The bus is closed."

    def healthy(self) -> str | None:
        return self._fault

    async def declare(self, queue: str, events: Sequence[str] = ()) -> None:
        found = self._broker.queues.setdefault(queue, Queue())
        found.patterns.extend(re.compile(expression(pattern)) for pattern in events)

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
        item = Item(body_of(envelope, self._policy), envelope.type)
        if queue is not None:
            await self._broker.queue(queue).put(item)
            return
        for found in self._broker.queues.values():
            if matches(found.patterns, envelope.type):
                await found.put(item)
        for patterns, buffer in self._broker.ears:
            if matches(patterns, envelope.type):
                buffer.put(decode(item.body))

    async def depth(self, queue: str) -> int:
        return len(self._broker.queue(queue).items)

    async def take(self, queue: str, wait: float) -> MemoryDelivery | None:
        found = self._broker.queue(queue)
        try:
            async with asyncio.timeout(max(wait, 0.001)):
                while True:
                    if delivery := self._delivery(await found.get(), queue):
                        return delivery
        except TimeoutError:
            return None

    def _delivery(self, item: Item, queue: str) -> MemoryDelivery | None:
        try:
            delivery = MemoryDelivery(
                item, queue, self._broker, self._policy, lambda: self._held.discard(delivery)
            )
        except Unreadable as error:
            self._broker.bury(item, queue, error.message)
            return None
        self._held.add(delivery)
        return delivery

    async def consume(self, queue: str, handler: Handler, *, concurrency: int = 1) -> Consumption:
        async def fetch() -> Delivery | None:
            return await self.take(queue, 60.0)

        workers = Workers(fetch, handler, concurrency)
        self._consumptions.append(workers)
        return workers

    async def ask(self, question: Envelope, queue: str, wait: float) -> Envelope:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        body = body_of(question, self._policy)
        item = Item(body, question.type, answer=answer)
        await self._broker.queue(queue).put(item)
        try:
            async with asyncio.timeout(wait):
                return decode(await answer)
        except TimeoutError:
            with suppress(ValueError):
                self._broker.queue(queue).items.remove(item)
            raise Unavailable(f"No answer to {question.type} within {wait:g} seconds.") from None

    async def answer(self, queue: str, handler: Answerer, *, concurrency: int = 4) -> Consumption:
        await self.declare(queue)

        async def respond(delivery: Delivery) -> None:
            asked = delivery.item.answer if isinstance(delivery, MemoryDelivery) else None
            if asked is not None and not asked.done():
                _, body = await answer_of(
                    handler, delivery.envelope, source=self._name, policy=self._policy
                )
                if not asked.done():
                    asked.set_result(body)
            await delivery.ack()

        return await self.consume(queue, respond, concurrency=concurrency)

    @asynccontextmanager
    async def listen(self, patterns: Sequence[str]) -> AsyncIterator[Buffer]:
        buffer = Buffer(self._policy.listen_buffer)
        ear = ([re.compile(expression(pattern)) for pattern in patterns], buffer)
        self._broker.ears.append(ear)
        self._buffers.add(buffer)
        try:
            yield buffer
        finally:
            self._broker.ears.remove(ear)
            self._buffers.discard(buffer)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return list(self._broker.dead.values())[:limit]

    async def replay(self, letter: str) -> None:
        found = self._broker.dead.get(letter)
        if found is None:
            raise NotFound(f"There is no dead letter {letter}.")
        await self._broker.queue(found.queue).put(Item(found.body, found.type))
        del self._broker.dead[letter]
