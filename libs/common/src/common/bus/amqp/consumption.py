"""A handler at work on what a queue pushes."""

import asyncio

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from common.bus.amqp import topology
from common.bus.amqp.delivery import AmqpDelivery, Moved, read
from common.bus.amqp.link import Link
from common.bus.amqp.publisher import Publisher
from common.bus.amqp.subscription import Subscription
from common.bus.transport import Handler, Policy
from common.bus.workers import Workers


class AmqpConsumption:
    """At most ``concurrency`` messages are here, in hands or waiting for some."""

    def __init__(
        self,
        link: Link,
        publisher: Publisher,
        policy: Policy,
        queue: topology.Queue,
        handler: Handler,
        concurrency: int,
    ) -> None:
        self._link = link
        self._publisher = publisher
        self._policy = policy
        self._queue = queue
        self._waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._workers = Workers(self._next, handler, concurrency)
        self._subscription = Subscription(
            link, self._open_queue, self._waiting.put_nowait, prefetch=concurrency
        )

    async def stop(self, grace: float) -> None:
        """Take nothing more, wait ``grace`` seconds for handlers, then cancel them."""
        await self._subscription.pause()
        while not self._waiting.empty():
            message = self._waiting.get_nowait()
            await Moved(message, self._queue.name, self._publisher, self._policy).release()
        await self._workers.stop(grace)
        await self._subscription.close()

    async def _open_queue(self, channel: AbstractChannel) -> AbstractQueue:
        await topology.make_queue(await self._link.connection(), self._queue)
        return await channel.get_queue(self._queue.name, ensure=False)

    async def _next(self) -> AmqpDelivery | None:
        message = await self._waiting.get()
        if message.channel.is_closed:
            return None  # of a lost connection: it comes again
        return await read(message, self._queue.name, self._publisher, self._policy)
