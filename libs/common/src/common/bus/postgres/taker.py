"""Taking messages, and keeping hold of those in hands."""

import asyncio
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import asyncpg
import structlog

from common.bus.postgres import statements
from common.bus.postgres.delivery import Held, PostgresDelivery
from common.bus.postgres.notices import Notices
from common.bus.postgres.store import Store
from common.bus.transport import Policy, Unroutable
from common.errors import Unavailable
from common.messages import Unreadable, decode

log = structlog.get_logger(__name__)

LOOK_AGAIN = 10.0
"""Seconds after which a waiting consumer looks even if nothing was notified."""
LONGEST_HOLD = 1800.0
"""Seconds after which a message that nobody settles comes again, as RabbitMQ has it."""
TIDY_EVERY = 60.0


class Taker:
    """All messages that one transport has in hands."""

    def __init__(self, store: Store, notices: Notices, policy: Policy) -> None:
        self._store = store
        self._notices = notices
        self._policy = policy
        self._holder = uuid4()
        self._held: dict[Held, float] = {}
        self._visibility = timedelta(seconds=policy.visibility)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep hold from now on."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Let go of everything."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._store.rows(statements.RELEASE_ALL, self._holder, limit=5)
        except Unavailable as error:
            log.info("messages come again later", reason=error.message)

    async def take(self, queue: str, wait: float) -> PostgresDelivery | None:
        """The next message of ``queue``, within about ``wait`` seconds."""
        deadline = monotonic() + wait
        limit = min(max(wait, 2.0), LOOK_AGAIN)
        async with self._notices.news(f"queue:{queue}") as news:
            while True:
                news.clear()
                try:
                    delivery, pause = await self._look(queue, limit)
                except Unroutable:
                    raise
                except Unavailable as error:
                    log.info("nothing taken", queue=queue, reason=error.message)
                    delivery, pause = None, 1.0
                remaining = deadline - monotonic()
                if delivery is not None or remaining <= 0:
                    return delivery
                try:
                    async with asyncio.timeout(min(remaining, pause, LOOK_AGAIN)):
                        await news.wait()
                except TimeoutError:
                    continue

    async def _look(self, queue: str, limit: float) -> tuple[PostgresDelivery | None, float]:
        """A message, or how long none will be due."""
        while held := await self._hold(queue, limit):
            if delivery := await self._readable(held):
                return delivery, 0.0
        due = (await self._store.rows(statements.NEXT_DUE, queue, limit=limit))[0][0]
        if due is not None:
            return None, max(due.total_seconds(), 0.01)
        if not (await self._store.rows(statements.EXISTS, queue, limit=limit))[0][0]:
            raise Unroutable(f"There is no queue {queue} yet.")
        return None, LOOK_AGAIN

    async def _hold(self, queue: str, limit: float) -> Held | None:
        """The next row, if one is due. A taking that is cancelled gives back what it got."""
        taking = asyncio.ensure_future(
            self._store.rows(statements.TAKE, queue, self._holder, self._visibility, limit=limit)
        )
        try:
            rows = await asyncio.shield(taking)
        except asyncio.CancelledError:
            found = (await asyncio.gather(taking, return_exceptions=True))[0]
            if found and not isinstance(found, BaseException):
                await self._held_row(found).settle(statements.RELEASE)
            raise
        return self._held_row(rows) if rows else None

    def _held_row(self, rows: list[asyncpg.Record]) -> Held:
        held = Held(rows[0], self._holder, self._store, self._let_go)
        self._held[held] = monotonic()
        return held

    async def _readable(self, held: Held) -> PostgresDelivery | None:
        """The delivery, or None after the message went to the dead letters."""
        if held.deliveries > self._policy.delivery_limit:
            await held.bury("Each consumer that took it died.")
            return None
        try:
            return PostgresDelivery(decode(held.body), held, self._policy)
        except Unreadable as error:
            log.warning("message unreadable", reason=error.message)
            await held.bury(error.message)
            return None

    def _let_go(self, held: Held) -> None:
        self._held.pop(held, None)

    async def _keep(self) -> None:
        tidied = monotonic()
        while True:
            await asyncio.sleep(self._policy.visibility / 3)
            oldest = monotonic() - LONGEST_HOLD
            held = [held.id for held, since in self._held.items() if since > oldest]
            try:
                if held:
                    await self._store.rows(
                        statements.RENEW,
                        self._holder,
                        held,
                        self._visibility,
                        limit=self._policy.visibility,
                    )
                if monotonic() - tidied > TIDY_EVERY:
                    tidied = monotonic()
                    await self.tidy()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may succeed
                log.warning("messages not held", reason=type(error).__name__)

    async def tidy(self) -> None:
        """Remove what nobody waits for any more."""
        for statement in statements.TIDY:
            await self._store.rows(statement, limit=TIDY_EVERY)
