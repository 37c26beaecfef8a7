"""Progress of a job on its way to whoever looks: newest wins, at most one a second."""

import asyncio

import structlog

from common.bus.transport import Transport
from common.messages import Actor, JobProgressed, seal
from common.observability import current_traceparent

_INTERVAL_SECONDS = 1.0
_PUBLISH_SECONDS = 2.0

log = structlog.stdlib.get_logger(__name__)


class ProgressTeller:
    """Publishes what ``tell`` is given without ever making the job wait for the bus."""

    def __init__(self, transport: Transport, source: str, actor: Actor) -> None:
        self._transport = transport
        self._source = source
        self._actor = actor
        self._newest: JobProgressed | None = None
        self._task: asyncio.Task[None] | None = None

    def tell(self, event: JobProgressed) -> None:
        """Publish ``event`` soon, unless a newer one replaces it."""
        self._newest = event
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._publish())

    def close(self) -> None:
        """Say nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _publish(self) -> None:
        while self._newest is not None:
            event, self._newest = self._newest, None
            envelope = seal(
                event,
                source=self._source,
                actor=self._actor,
                subject=event.operation_id,
                traceparent=current_traceparent(),
            )
            try:
                async with asyncio.timeout(_PUBLISH_SECONDS):
                    await self._transport.publish(envelope)
            except Exception as error:  # noqa: BLE001 - progress may be lost, the job goes on
                log.debug("progress lost", error=type(error).__name__)
            await asyncio.sleep(_INTERVAL_SECONDS)
