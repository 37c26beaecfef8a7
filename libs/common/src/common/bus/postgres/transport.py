"""The embedded bus."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog
from pydantic import SecretStr

from common.bus.answers import answer_of
from common.bus.patterns import expression
from common.bus.postgres import statements
from common.bus.postgres.delivery import PostgresDelivery
from common.bus.postgres.faults import FAULTS, reason_of
from common.bus.postgres.listening import Ears
from common.bus.postgres.notices import Notices
from common.bus.postgres.store import Store
from common.bus.postgres.taker import LOOK_AGAIN, Taker
from common.bus.size import body_of
from common.bus.transport import (
    Answerer,
    Consumption,
    DeadLetter,
    Delivery,
    Handler,
    Listening,
    Policy,
    Unroutable,
)
from common.bus.workers import Workers
from common.errors import NotFound, Unavailable
from common.messages import Envelope, decode

log = structlog.get_logger(__name__)

ANSWER_LOOK = 1.0


class PostgresTransport:
    """A service's connection to the embedded bus; ``name`` is the service's."""

    def __init__(self, url: SecretStr, *, name: str, policy: Policy | None = None) -> None:
        self._name = name
        self._policy = policy or Policy()
        self._store = Store(url, name)
        self._ears = Ears(self._store, self._policy)
        self._notices = Notices(self._store, self._ears.notified, self._ears.interrupted)
        self._taker = Taker(self._store, self._notices, self._policy)
        self._consumptions: list[Consumption] = []

    async def start(self) -> None:
        await self._store.open(self._policy.connect_timeout)
        self._ears.start()
        self._taker.start()
        await self._notices.start(self._policy.connect_timeout)

    async def close(self) -> None:
        for consumption in self._consumptions:
            await consumption.stop(0)
        self._consumptions.clear()
        await self._notices.close()
        await self._taker.close()
        await self._ears.close()
        await self._store.close()

    def healthy(self) -> str | None:
        return self._notices.fault

    async def declare(self, queue: str, events: Sequence[str] = ()) -> None:
        limit = self._policy.connect_timeout
        await self._store.rows(statements.DECLARE, queue, limit=limit)
        for pattern in events:
            await self._store.rows(
                statements.BIND, queue, pattern, expression(pattern), limit=limit
            )

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
        body = body_of(envelope, self._policy)
        limit = self._policy.publish_timeout
        if queue is None:
            await self._store.rows(
                statements.PUBLISH, envelope.id, envelope.type, body, limit=limit
            )
        elif not await self._store.rows(
            statements.SEND, queue, envelope.id, envelope.type, body, limit=limit
        ):
            raise Unroutable(f"There is no queue {queue} yet.")

    async def depth(self, queue: str) -> int:
        limit = self._policy.publish_timeout
        if not (await self._store.rows(statements.EXISTS, queue, limit=limit))[0][0]:
            raise Unroutable(f"There is no queue {queue} yet.")
        return int((await self._store.rows(statements.DEPTH, queue, limit=limit))[0][0])

    async def take(self, queue: str, wait: float) -> PostgresDelivery | None:
        return await self._taker.take(queue, wait)

    async def consume(self, queue: str, handler: Handler, *, concurrency: int = 1) -> Consumption:
        async def fetch() -> Delivery | None:
            return await self.take(queue, LOOK_AGAIN)

        workers = Workers(fetch, handler, concurrency)
        self._consumptions.append(workers)
        return workers

    async def ask(self, question: Envelope, queue: str, wait: float) -> Envelope:
        deadline = monotonic() + wait
        body = body_of(question, self._policy)
        life = timedelta(seconds=wait)
        async with self._notices.news(f"answer:{question.id}") as news:
            if not await self._store.rows(
                statements.ASK, queue, question.id, question.type, body, life, limit=wait
            ):
                raise Unroutable(f"There is no queue {queue} yet.")
            while (remaining := deadline - monotonic()) > 0:
                try:
                    async with asyncio.timeout(min(remaining, ANSWER_LOOK)):
                        await news.wait()
                except TimeoutError:
                    log.debug("no answer yet")
                rows = await self._store.rows(statements.TAKE_ANSWER, question.id, limit=wait)
                if rows:
                    return decode(rows[0]["body"])
        raise Unavailable(f"No answer to {question.type} within {wait:g} seconds.")

    async def answer(self, queue: str, handler: Answerer, *, concurrency: int = 4) -> Consumption:
        await self.declare(queue)

        async def respond(delivery: Delivery) -> None:
            question = delivery.question if isinstance(delivery, PostgresDelivery) else None
            _, body = await answer_of(
                handler, delivery.envelope, source=self._name, policy=self._policy
            )
            try:
                await self._store.rows(
                    statements.ANSWER, question, body, limit=self._policy.publish_timeout
                )
            except Unavailable as error:
                log.warning("answer not sent", reason=error.message)
            await delivery.ack()

        return await self.consume(queue, respond, concurrency=concurrency)

    def listen(self, patterns: Sequence[str]) -> AbstractAsyncContextManager[Listening]:
        return self._ears.listen(patterns)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        rows = await self._store.rows(
            statements.DEAD_LETTERS, limit, limit=self._policy.publish_timeout
        )
        return [
            DeadLetter(
                str(row["id"]),
                row["queue"],
                row["reason"],
                row["type"],
                row["attempt"],
                row["died_at"],
                row["body"],
            )
            for row in rows
        ]

    async def replay(self, letter: str) -> None:
        missing = NotFound(f"There is no dead letter {letter}.")
        try:
            number = UUID(letter)
        except ValueError:
            raise missing from None
        try:
            async with self._store.pool.acquire() as connection, connection.transaction():
                found = await connection.fetchrow(statements.EXHUME, number)
                if found is None:
                    raise missing
                if not await connection.fetch(statements.SEND, *found):
                    raise Unroutable(f"There is no queue {found['queue']} any more.")
        except FAULTS as error:
            raise Unavailable(f"Nothing was replayed: {reason_of(error)}.") from None
