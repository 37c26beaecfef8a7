"""Services hosted in the test's own process: real database, bus in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from common.bus.memory import Broker, MemoryTransport
from common.bus.transport import Transport
from common.config import ServiceSettings
from common.service import Runtime, Service, hosted

S = TypeVar("S", bound=ServiceSettings)


@asynccontextmanager
async def connected(broker: Broker, name: str = "observer") -> AsyncIterator[Transport]:
    """A started transport of ``broker``."""
    transport = MemoryTransport(broker, name=name)
    await transport.start()
    try:
        yield transport
    finally:
        await transport.close()


@asynccontextmanager
async def replica(service: Service[S], settings: S, broker: Broker) -> AsyncIterator[Runtime[S]]:
    """One replica of ``service`` at work, with a connection to the bus of its own."""
    async with (
        connected(broker, service.name) as transport,
        hosted(service, settings, transport=transport) as runtime,
    ):
        yield runtime
