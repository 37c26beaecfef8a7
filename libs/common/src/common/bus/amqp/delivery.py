"""A message in a consumer's hands, and what becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from common.bus.amqp import topology
from common.bus.amqp.faults import FAULTS, faults
from common.bus.amqp.publisher import ATTEMPT, QUEUE, REASON, Publisher
from common.bus.transport import Policy
from common.errors import Error
from common.messages import Envelope, Unreadable, decode

log = structlog.get_logger(__name__)

REASON_LENGTH = 500
PAUSE = 1.0


def attempt_of(message: AbstractIncomingMessage) -> int:
    """1, more with each retry, and with each redelivery where the broker counts those."""
    return number(message, ATTEMPT, 1) + number(message, "x-delivery-count", 0)


def number(message: AbstractIncomingMessage, header: str, default: int) -> int:
    """The whole number in ``header``."""
    value = message.headers.get(header)
    return value if isinstance(value, int) else default


def copy_of(message: AbstractIncomingMessage, headers: dict[str, str | int]) -> Message:
    """The same message under new headers.

    None of the broker's are kept: by them it would take a retry for a circle and drop it.
    """
    return Message(
        message.body,
        message_id=message.message_id,
        type=message.type,
        app_id=message.app_id,
        timestamp=datetime.now(UTC),
        content_type=message.content_type,
        delivery_mode=DeliveryMode.PERSISTENT,
        headers={
            **{key: value for key, value in message.headers.items() if key == "traceparent"},
            **headers,
        },
    )


class Moved:
    """Settles one AMQP message, once; a lost channel means that it comes again by itself."""

    def __init__(
        self, message: AbstractIncomingMessage, queue: str, publisher: Publisher, policy: Policy
    ) -> None:
        self.message = message
        self.settled = False
        self._queue = queue
        self._publisher = publisher
        self._policy = policy

    async def ack(self) -> None:
        """The message is done with."""
        await self._finish(self.message.ack)

    async def release(self) -> None:
        """Back to its queue."""
        await self._finish(lambda: self.message.nack(requeue=True))

    async def dead(self, reason: str) -> None:
        """Into the dead letters, then off its queue."""
        headers: dict[str, str | int] = {
            QUEUE: self._queue,
            REASON: reason[:REASON_LENGTH],
            ATTEMPT: attempt_of(self.message),
        }
        await self._move(topology.DEAD, headers)

    async def later(self, delay: float, attempt: int) -> None:
        """Onto the ladder, then off its queue."""
        await self._move(topology.retry_name(delay), {ATTEMPT: attempt})

    async def _move(self, exchange: str, headers: dict[str, str | int]) -> None:
        if self.message.channel.is_closed:
            self.settled = True  # it comes again without us
            return
        try:
            await self._publisher.send(copy_of(self.message, headers), exchange, self._queue)
        except Error as error:
            log.warning("message not moved", exchange=exchange, reason=error.message)
            await asyncio.sleep(PAUSE)
            # Unlike a release this counts towards the delivery limit, on every version.
            await self._finish(lambda: self.message.reject(requeue=True))
        else:
            await self.ack()

    async def _finish(self, how: Callable[[], Awaitable[None]]) -> None:
        if self.settled:
            return
        self.settled = True
        try:
            with faults():
                await how()
        except FAULTS:
            log.info("message comes again", queue=self._queue, id=self.message.message_id)


class AmqpDelivery:
    """A readable message in a consumer's hands."""

    def __init__(self, envelope: Envelope, moved: Moved, policy: Policy) -> None:
        self.envelope = envelope
        self.message = moved.message
        self.attempt = attempt_of(moved.message)
        self._moved = moved
        self._policy = policy

    @property
    def settled(self) -> bool:
        return self._moved.settled

    async def ack(self) -> None:
        await self._moved.ack()

    async def release(self) -> None:
        await self._moved.release()

    async def dead(self, reason: str) -> None:
        await self._moved.dead(reason)

    async def retry(self, reason: str, delay: float | None = None) -> None:
        if self.attempt >= self._policy.max_attempts:
            await self.dead(f"Given up after {self.attempt} attempts: {reason}")
        else:
            await self._moved.later(self._policy.step(self.attempt, delay), self.attempt + 1)


async def read(
    message: AbstractIncomingMessage, queue: str, publisher: Publisher, policy: Policy
) -> AmqpDelivery | None:
    """The delivery of ``message``; None if it cannot be read and went to the dead letters."""
    moved = Moved(message, queue, publisher, policy)
    try:
        envelope = decode(message.body)
    except Unreadable as error:
        log.warning("message unreadable", queue=queue, reason=error.message)
        await moved.dead(error.message)
        return None
    return AmqpDelivery(envelope, moved, policy)
