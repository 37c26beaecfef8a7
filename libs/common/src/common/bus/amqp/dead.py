"""The dead letters: listing and replaying.

AMQP cannot look into a queue. So letters are taken, and all but a replayed one go back when the
channel closes. Meanwhile another listing does not see them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from uuid import NAMESPACE_OID, uuid5

from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from common.bus.amqp import topology
from common.bus.amqp.delivery import copy_of, number
from common.bus.amqp.faults import FAULTS, faults
from common.bus.amqp.link import Link
from common.bus.amqp.publisher import ATTEMPT, QUEUE, REASON, Publisher
from common.bus.transport import DeadLetter
from common.errors import NotFound, Unavailable

LIMIT = 60.0


class DeadLetters:
    """What is in ``strongroom.dead``."""

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher
        self._turn = asyncio.Lock()

    async def list(self, limit: int) -> list[DeadLetter]:
        """The oldest ``limit``."""
        found: list[DeadLetter] = []
        async with self._queue() as queue:
            while len(found) < limit and (message := await queue.get(fail=False)):
                found.append(_letter(message))
        return found

    async def replay(self, letter: str) -> None:
        """Back into its queue, as if new."""
        async with self._queue() as queue:
            while message := await queue.get(fail=False):
                found = _letter(message)
                if found.id == letter:
                    fresh = copy_of(message, {ATTEMPT: 1})
                    await self._publisher.send(fresh, topology.COMMANDS, found.queue)
                    await message.ack()
                    return
        raise NotFound(f"There is no dead letter {letter}.")

    @asynccontextmanager
    async def _queue(self) -> AsyncIterator[AbstractQueue]:
        """The queue, on a channel that gives back at its end what was not acknowledged."""
        try:
            async with self._turn, asyncio.timeout(LIMIT):
                channel = await self._link.new_channel()
                with faults():
                    async with channel:
                        yield await channel.get_queue(topology.DEAD, ensure=False)
        except FAULTS as error:
            raise Unavailable(f"Dead letters cannot be read: {type(error).__name__}.") from None


def _letter(message: AbstractIncomingMessage) -> DeadLetter:
    """From our own headers, or from the broker's where it gave the message up itself."""
    deaths = cast("list[Mapping[str, Any]]", message.headers.get("x-death") or [{}])
    death = deaths[0]  # the latest
    queue = str(message.headers.get(QUEUE, death.get("queue", "")))
    time = death.get("time") or message.timestamp
    name = message.message_id or message.body.hex()
    return DeadLetter(
        id=str(uuid5(NAMESPACE_OID, f"{queue} {name}")),
        queue=queue,
        reason=str(message.headers.get(REASON, _given_up(str(death.get("reason"))))),
        type=message.type or "",
        attempt=number(message, ATTEMPT, 1),
        time=time.astimezone(UTC) if isinstance(time, datetime) else None,
        body=message.body,
    )


def _given_up(reason: str) -> str:
    if reason == "delivery_limit":
        return "Each consumer that took it died or lost its connection."
    return f"The broker gave it up: {reason}."
