"""Events for one listener, through a queue that ends with it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from aio_pika.abc import AbstractIncomingMessage

from common.bus.amqp import topology
from common.bus.amqp.link import Link
from common.bus.amqp.subscription import Subscription, exclusive
from common.bus.buffer import Buffer
from common.bus.transport import Policy
from common.errors import Unavailable
from common.messages import Unreadable, decode

log = structlog.get_logger(__name__)

LENGTH = 10_000
"""So many wait on the broker: more than in the buffer, where what is missed is counted."""


class Ears:
    """All listeners of one transport."""

    def __init__(self, link: Link, policy: Policy, name: str) -> None:
        self._link = link
        self._policy = policy
        self._name = name
        self._buffers: set[Buffer] = set()

    @asynccontextmanager
    async def listen(self, patterns: Sequence[str]) -> AsyncIterator[Buffer]:
        """Every event that fits, from the moment that the ``with`` is entered."""
        buffer = Buffer(self._policy.listen_buffer)

        def receive(message: AbstractIncomingMessage) -> None:
            try:
                buffer.put(decode(message.body))
            except Unreadable as error:
                log.info("event unreadable", reason=error.message)

        subscription = Subscription(
            self._link,
            exclusive(
                f"{self._name}.listen",
                lambda _: [(topology.EVENTS, pattern) for pattern in patterns],
                LENGTH,
            ),
            receive,
            on_loss=buffer.interrupted,
        )
        self._buffers.add(buffer)
        try:
            try:
                async with asyncio.timeout(self._policy.connect_timeout):
                    await subscription.ready()
            except TimeoutError:
                raise Unavailable(self._link.fault) from None
            yield buffer
        finally:
            self._buffers.discard(buffer)
            await subscription.close()

    def close(self) -> None:
        """End every listener's iteration."""
        for buffer in self._buffers:
            buffer.close()
