"""Questions and their answers: each asker has a queue of its own for what comes back."""

import asyncio
from typing import cast

import structlog
from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from common.bus.amqp import topology
from common.bus.amqp.delivery import AmqpDelivery
from common.bus.amqp.link import Link
from common.bus.amqp.publisher import Publisher, message_of
from common.bus.amqp.subscription import Subscription, exclusive
from common.bus.answers import answer_of
from common.bus.size import body_of
from common.bus.transport import Answerer, Delivery, Policy
from common.errors import Error, Unavailable
from common.messages import Envelope, Unreadable, decode

log = structlog.get_logger(__name__)

LENGTH = 1000


class Questions:
    """The asking side. Its queue is made at the first question."""

    def __init__(self, link: Link, publisher: Publisher, policy: Policy, name: str) -> None:
        self._link = link
        self._publisher = publisher
        self._policy = policy
        self._name = name
        self._pending: dict[str, asyncio.Future[Envelope]] = {}
        self._subscription: Subscription | None = None

    async def ask(self, question: Envelope, queue: str, wait: float) -> Envelope:
        """The answer, within ``wait`` seconds."""
        message = message_of(question, body_of(question, self._policy))
        message.correlation_id = str(question.id)
        message.expiration = min(wait, topology.QUESTION_LIFE)
        answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._pending[str(question.id)] = answer
        try:
            async with asyncio.timeout(wait):
                message.reply_to = await self._address()
                await self._publisher.send(message, topology.COMMANDS, queue, limit=wait)
                return await answer
        except TimeoutError:
            raise Unavailable(f"No answer to {question.type} within {wait:g} seconds.") from None
        finally:
            del self._pending[str(question.id)]

    async def close(self) -> None:
        """Ask no more."""
        self._lost()
        if self._subscription is not None:
            await self._subscription.close()

    async def _address(self) -> str:
        """The queue for answers. Who could guess its name could take them."""
        if self._subscription is None:
            self._subscription = Subscription(
                self._link,
                exclusive(
                    f"{self._name}.answers", lambda queue: [(topology.ANSWERS, queue)], LENGTH
                ),
                self._receive,
                on_loss=self._lost,
            )
        await self._subscription.ready()
        return self._subscription.queue_name

    def _receive(self, message: AbstractIncomingMessage) -> None:
        pending = self._pending.get(message.correlation_id or "")
        if pending is None or pending.done():
            return
        try:
            pending.set_result(decode(message.body))
        except Unreadable as error:
            pending.set_exception(error)

    def _lost(self) -> None:
        """An answer that was on its way is lost: say so at once instead of waiting for it."""
        for pending in self._pending.values():
            if not pending.done():
                pending.set_exception(Unavailable("The connection was lost before the answer."))


class Replier:
    """The answering side."""

    def __init__(
        self, publisher: Publisher, policy: Policy, handler: Answerer, source: str
    ) -> None:
        self._publisher = publisher
        self._policy = policy
        self._handler = handler
        self._source = source

    async def respond(self, delivery: Delivery) -> None:
        """Answer one question. Whatever happens it is done with: who asked does not wait long."""
        question = cast("AmqpDelivery", delivery)
        answer, body = await answer_of(
            self._handler, question.envelope, source=self._source, policy=self._policy
        )
        try:
            await self._reply(question.message, message_of(answer, body, stored=False))
        except Error as error:
            log.warning("answer not sent", type=answer.type, reason=error.message)
        await question.ack()

    async def _reply(self, question: AbstractIncomingMessage, answer: Message) -> None:
        answer.correlation_id = question.correlation_id
        if question.reply_to:
            await self._publisher.send(answer, topology.ANSWERS, question.reply_to, mandatory=False)
