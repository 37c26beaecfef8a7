"""Handlers at work on what a queue brings: limited concurrency, an end with grace."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from common.bus.transport import Delivery, Handler
from common.errors import Unavailable

log = structlog.get_logger(__name__)

PAUSE = 1.0


async def handle(handler: Handler, delivery: Delivery) -> None:
    """Run ``handler``; what it leaves unsettled is retried, or released if it is cancelled."""
    try:
        await handler(delivery)
    except asyncio.CancelledError:
        if not delivery.settled:
            await delivery.release()
        raise
    except Exception as error:
        log.exception("handler failed", message_id=str(delivery.envelope.id))
        if not delivery.settled:
            await delivery.retry(type(error).__name__)
    else:
        if not delivery.settled:
            await delivery.retry("The handler ended without settling it.")


class Workers:
    """``concurrency`` workers; one at a time fetches, so that messages start in order."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Delivery | None]],
        handler: Handler,
        concurrency: int,
    ) -> None:
        self._fetch = fetch
        self._handler = handler
        self._turn = asyncio.Lock()
        self._idle: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._tasks = [asyncio.create_task(self._work()) for _ in range(concurrency)]

    async def stop(self, grace: float) -> None:
        """Take nothing more, wait ``grace`` seconds for handlers, then cancel them."""
        self._stopping = True
        for task in self._idle:
            task.cancel()
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopping:
            delivery = await self._next()
            if delivery is not None:
                await handle(self._handler, delivery)

    async def _next(self) -> Delivery | None:
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - a coroutine runs in a task
            return None
        self._idle.add(task)
        try:
            async with self._turn:
                return await self._fetch()
        except Unavailable as error:
            log.warning("queue not read", reason=error.message)
            await asyncio.sleep(PAUSE)
            return None
        finally:
            self._idle.discard(task)
