"""Messages pushed from one queue, subscribed to again whenever the connection was lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from common.bus.amqp.faults import FAULTS, faults
from common.bus.amqp.link import Link

log = structlog.get_logger(__name__)

PAUSE = 0.5

OpenQueue = Callable[[AbstractChannel], Awaitable[AbstractQueue]]
Receive = Callable[[AbstractIncomingMessage], None]


class Subscription:
    """``open_queue`` finds or makes the queue on a new channel; ``receive`` may not wait."""

    def __init__(
        self,
        link: Link,
        open_queue: OpenQueue,
        receive: Receive,
        *,
        prefetch: int = 0,
        on_loss: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = link
        self._open_queue = open_queue
        self._receive = receive
        self._prefetch = prefetch
        self._on_loss = on_loss
        self._channel: AbstractChannel | None = None
        self._tag: str | None = None
        self.queue_name = ""
        self._subscribed = asyncio.Event()
        self._task = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Return while subscribed. The caller limits the time."""
        await self._subscribed.wait()

    async def pause(self) -> None:
        """Receive nothing more; what was received can still be settled."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        channel = self._channel
        if channel is None or channel.is_closed or self._tag is None:
            return
        try:
            async with asyncio.timeout(PAUSE * 10):
                with faults():
                    await (await channel.get_underlay_channel()).basic_cancel(self._tag)
        except FAULTS:
            log.debug("subscription ended roughly")

    async def close(self) -> None:
        """End. What was not settled goes back."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._close_channel()

    async def _close_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is None or channel.is_closed:
            return
        try:
            async with asyncio.timeout(PAUSE * 10):
                with faults():
                    await channel.close()
        except FAULTS:
            log.debug("channel ended roughly")

    async def _keep(self) -> None:
        while True:
            try:
                ended = await self._subscribe()
                self._subscribed.set()
                await ended.wait()
                self._on_loss()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may succeed
                log.info("not subscribed", reason=type(error).__name__)
            finally:
                self._subscribed.clear()
            await self._close_channel()
            await asyncio.sleep(PAUSE)

    async def _subscribe(self) -> asyncio.Event:
        ended = asyncio.Event()
        channel = self._channel = await self._link.new_channel()
        with faults():
            channel.close_callbacks.add(lambda *_: ended.set())
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda *_: ended.set())
            queue = await self._open_queue(channel)
            self.queue_name = queue.name
            if self._prefetch:
                await channel.set_qos(prefetch_count=self._prefetch)
            self._tag = await queue.consume(self._received, no_ack=not self._prefetch)
        if channel.is_closed:
            ended.set()
        return ended

    async def _received(self, message: AbstractIncomingMessage) -> None:
        self._receive(message)


def exclusive(
    prefix: str, bindings: Callable[[str], Iterable[tuple[str, str]]], length: int
) -> OpenQueue:
    """A queue of this connection alone, gone with it; beyond ``length`` the oldest give way.

    Its name is new each time: the broker may not have noticed yet that the last one is orphaned.
    """

    async def open_queue(channel: AbstractChannel) -> AbstractQueue:
        name = f"{prefix}.{uuid4().hex}"
        queue = await channel.declare_queue(
            name, exclusive=True, auto_delete=True, arguments={"x-max-length": length}
        )
        for exchange, key in bindings(name):
            await queue.bind(exchange, key)
        return queue

    return open_queue
