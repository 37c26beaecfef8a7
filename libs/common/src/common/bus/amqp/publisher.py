"""Publishing with the broker's confirmation."""

import asyncio
from collections.abc import Mapping

from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import DeliveryError, PublishError

from common.bus.amqp.faults import FAULTS, faults
from common.bus.amqp.link import Link
from common.bus.transport import Policy, Unroutable
from common.errors import Unavailable
from common.messages import Envelope

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
ATTEMPT = "strongroom-attempt"
QUEUE = "strongroom-queue"
REASON = "strongroom-reason"
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0

Headers = Mapping[str, str | int]


def message_of(envelope: Envelope, body: bytes, *, stored: bool = True) -> Message:
    """An AMQP message whose properties an operator can read without its body."""
    return Message(
        body,
        message_id=str(envelope.id),
        type=envelope.type,
        app_id=envelope.source,
        timestamp=envelope.time,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT if stored else DeliveryMode.NOT_PERSISTENT,
        headers={"traceparent": envelope.traceparent} if envelope.traceparent else {},
    )


class Publisher:
    """Sends, waits for the confirmation, and tries again over a lost connection."""

    def __init__(self, link: Link, policy: Policy) -> None:
        self._link = link
        self._policy = policy

    async def send(
        self,
        message: Message,
        exchange: str,
        key: str,
        *,
        mandatory: bool = True,
        limit: float | None = None,
    ) -> None:
        """Return when the broker has the message.

        Raises:
            Unroutable: ``mandatory``, and no queue would get it.
            Unavailable: not confirmed within ``limit`` seconds, by default the policy's.
        """
        pause = FIRST_PAUSE
        try:
            async with asyncio.timeout(limit or self._policy.publish_timeout):
                while True:
                    if await self._sent(message, exchange, key, mandatory=mandatory):
                        return
                    await asyncio.sleep(pause)
                    # An event that one full queue refuses arrives in the others each time.
                    pause = min(2 * pause, LONGEST_PAUSE)
        except TimeoutError:
            raise Unavailable(
                self._link.fault or f"{self._link.place} does not confirm a message in time."
            ) from None

    async def _sent(self, message: Message, exchange: str, key: str, *, mandatory: bool) -> bool:
        try:
            channel = await self._link.channel("publish")
            target = await channel.get_exchange(exchange, ensure=False)
            with faults():
                await target.publish(message, key, mandatory=mandatory)
        except PublishError:
            # Its text holds the message.
            raise Unroutable(f"There is no queue {key} yet.") from None
        except DeliveryError:
            return False  # the queue is full, or just changes its leader
        except FAULTS:
            return False
        return True
