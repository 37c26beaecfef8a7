"""A message in a consumer's hands: a row that only its holder may change."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from common.bus.postgres import statements
from common.bus.postgres.store import Store
from common.bus.transport import Policy
from common.errors import Unavailable
from common.messages import Envelope

log = structlog.get_logger(__name__)

REASON_LENGTH = 500
SETTLE_LIMIT = 10.0


class Held:
    """A taken row. ``deliveries`` tells this taking from a later one by the same holder."""

    def __init__(
        self, row: asyncpg.Record, holder: UUID, store: Store, let_go: Callable[["Held"], None]
    ) -> None:
        self.id: int = row["id"]
        self.body: bytes = row["body"]
        self.question: UUID | None = row["question"]
        self.deliveries: int = row["deliveries"]
        self.attempt: int = row["attempt"] + self.deliveries - 1
        self.settled = False
        self._holder = holder
        self._store = store
        self._let_go = let_go

    async def settle(self, statement: str, *arguments: Any) -> None:
        """Run ``statement`` on this row; if it fails, the message comes again by itself."""
        if self.settled:
            return
        self.settled = True
        try:
            await self._store.rows(
                statement, self.id, self._holder, self.deliveries, *arguments, limit=SETTLE_LIMIT
            )
        except Unavailable as error:
            log.info("message comes again", id=self.id, reason=error.message)
        finally:
            self._let_go(self)

    async def bury(self, reason: str) -> None:
        """Into the dead letters."""
        await self.settle(statements.BURY, reason[:REASON_LENGTH], self.attempt)


class PostgresDelivery:
    """A readable message in a consumer's hands."""

    def __init__(self, envelope: Envelope, held: Held, policy: Policy) -> None:
        self.envelope = envelope
        self.attempt = held.attempt
        self.question = held.question
        self._held = held
        self._policy = policy

    @property
    def settled(self) -> bool:
        return self._held.settled

    async def ack(self) -> None:
        await self._held.settle(statements.ACK)

    async def retry(self, reason: str, delay: float | None = None) -> None:
        if self.attempt >= self._policy.max_attempts:
            await self.dead(f"Given up after {self.attempt} attempts: {reason}")
        else:
            step = timedelta(seconds=self._policy.step(self.attempt, delay))
            await self._held.settle(statements.RETRY, self.attempt + 1, step)

    async def dead(self, reason: str) -> None:
        await self._held.bury(reason)

    async def release(self) -> None:
        await self._held.settle(statements.RELEASE)
