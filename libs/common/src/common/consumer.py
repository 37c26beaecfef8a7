"""Messages to handlers: each in one transaction that also remembers that it was handled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from opentelemetry.trace import SpanKind

from common.bus.transport import Delivery
from common.db import Connection, Pool, is_open, is_transient, retrying
from common.errors import Error, Permanent, Unavailable
from common.messages import Envelope, Event, Failure, Message, Question, QuestionFailed, seal
from common.observability import bound, current_traceparent, metrics, span
from common.outbox import Context, unit_of_work

Handler = Callable[[Context, Any], Awaitable[None]]
QuestionHandler = Callable[[Context, Any], Awaitable[Message]]

_PATIENCE_SECONDS = 60.0
_INBOX_DAYS = 14

log = structlog.stdlib.get_logger(__name__)


class _Elsewhere(Exception):
    """What the handler needs is away, and it is not the service's own database."""


def failure_of(error: BaseException) -> Failure:
    """What may be told of an error: its own words if it is one of ours, else only its kind."""
    if isinstance(error, Error):
        return Failure(code=error.code, message=error.message, remedy=error.remedy)
    return Failure(code=Error.code, message=f"Something unexpected failed: {type(error).__name__}.")


@dataclass(frozen=True, slots=True)
class Consumer:
    """Handles what arrives in ``queue`` of the service ``name``.

    A message acts once: its id goes into the inbox in the transaction of its effect. A permanent
    error makes it a dead letter at once; any other puts it on the retry ladder. While the own
    database is away the message is held for a minute, so that a restart costs no attempt.
    """

    name: str
    queue: str
    pool: Pool
    handlers: Mapping[type[Message], Handler]

    async def __call__(self, delivery: Delivery) -> None:
        """Handle and settle one delivery."""
        envelope = delivery.envelope
        started = time.monotonic()
        with (
            bound(service=self.name, operation_id=envelope.subject, message_id=str(envelope.id)),
            span(
                f"handle {envelope.type}",
                traceparent=envelope.traceparent,
                kind=SpanKind.CONSUMER,
                service=self.name,
            ),
        ):
            outcome = await self._settle(delivery)
        metrics.MESSAGES.labels(self.name, self.queue, outcome).inc()
        metrics.MESSAGE_SECONDS.labels(self.name, self.queue).observe(time.monotonic() - started)
        lag = (datetime.now(UTC) - envelope.time).total_seconds()
        metrics.CONSUMER_LAG.labels(self.name, self.queue).set(max(lag, 0.0))

    async def _settle(self, delivery: Delivery) -> str:
        handler = self.handlers.get(type(delivery.envelope.data))
        if handler is None and isinstance(delivery.envelope.data, Event):
            await delivery.ack()
            return "ignored"
        if handler is None:
            await delivery.dead(f"{self.name} does not handle {delivery.envelope.type}")
            return "dead"
        try:
            fresh = await self._patiently(handler, delivery.envelope)
        except Permanent as error:
            log.warning("message refused", type=delivery.envelope.type, code=error.code)
            await delivery.dead(f"{error.code}: {error.message}")
            return "dead"
        except Exception as error:
            log.exception("handling failed", type=delivery.envelope.type, attempt=delivery.attempt)
            failure = failure_of((isinstance(error, _Elsewhere) and error.__cause__) or error)
            await delivery.retry(f"{failure.code}: {failure.message}")
            return "retried"
        await delivery.ack()
        return "handled" if fresh else "duplicate"

    async def _patiently(self, handler: Handler, envelope: Envelope) -> bool:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        pause = 0.1
        while True:
            try:
                return await self._handle(handler, envelope)
            except Exception as error:
                # The inbox makes this safe even when a commit's answer was lost.
                if not is_transient(error) or time.monotonic() + pause > deadline:
                    raise
                log.info("handling waits", type=envelope.type, error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _handle(self, handler: Handler, envelope: Envelope) -> bool:
        """Run the handler in a transaction; False if the message had been handled before."""
        actor = envelope.actor
        async with unit_of_work(self.pool, self.name, actor=actor, envelope=envelope) as context:
            if not await remember(context.conn, self.queue, envelope):
                return False
            try:
                await handler(context, envelope.data)
            except (OSError, TimeoutError, Unavailable) as error:
                if is_open(context.conn):
                    raise _Elsewhere from error
                raise
        return True


async def remember(connection: Connection, queue: str, envelope: Envelope) -> bool:
    """Record that ``envelope`` was handled; False if it had been. Waits for a twin in progress."""
    status = await connection.execute(
        "INSERT INTO inbox (queue, id) VALUES ($1, $2) ON CONFLICT DO NOTHING", queue, envelope.id
    )
    return status.endswith(" 1")


async def purge(pool: Pool) -> None:
    """Forget messages that are too old to come again."""

    async def delete(connection: Connection) -> None:
        await connection.execute(
            "DELETE FROM inbox WHERE handled_at < now() - make_interval(days => $1)", _INBOX_DAYS
        )

    await retrying(pool, delete)


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers the questions of a queue, each in a transaction; an error becomes the answer."""

    name: str
    pool: Pool
    handlers: Mapping[type[Question], QuestionHandler]

    async def __call__(self, question: Envelope) -> Envelope:
        """The sealed answer to ``question``; never raises for what a handler does."""
        with (
            bound(service=self.name, operation_id=question.subject),
            span(
                f"answer {question.type}",
                traceparent=question.traceparent,
                kind=SpanKind.SERVER,
                service=self.name,
            ),
        ):
            answer = await self._answer(question)
            return seal(
                answer,
                source=self.name,
                actor=question.actor,
                subject=question.subject,
                traceparent=current_traceparent(),
            )

    async def _answer(self, question: Envelope) -> Message:
        handler = next((h for t, h in self.handlers.items() if type(question.data) is t), None)
        try:
            if handler is None:
                raise Permanent(f"{self.name} does not answer {question.type}.")  # noqa: TRY301 - the one way out for errors
            actor = question.actor
            async with unit_of_work(self.pool, self.name, actor=actor, envelope=question) as work:
                return await handler(work, question.data)
        except Exception as error:
            if not isinstance(error, Permanent):
                log.exception("answering failed", type=question.type)
            return QuestionFailed(failure=failure_of(error))
