"""The six services in one process, on one transport."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from audit_sink.main import SERVICE as AUDIT_SINK
from backup_worker.main import SERVICE as BACKUP_WORKER
from common.bus.postgres import PostgresTransport
from common.bus.transport import Transport
from common.health import Health
from common.service import Runtime, Service, hosted
from gateway.identity.bootstrap import Announce
from gateway.main import service as gateway
from restore_worker.main import SERVICE as RESTORE_WORKER
from standalone.product.address import Address
from standalone.product.wiring import Wiring
from storage_uploader.main import SERVICE as STORAGE_UPLOADER
from token_service.main import SERVICE as TOKEN_SERVICE

STOP_SECONDS = 20.0
GATEWAY = "gateway"  # the name of its service


@dataclass(frozen=True, slots=True)
class Hosted:
    """A service, its settings, and what it says of itself."""

    service: Service[Any]
    settings: Any
    health: Health


class Product:
    """What runs. ``failed`` ends with the error of the first service that fails."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.runtimes: dict[str, Runtime[Any]] = {}
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, group: Sequence[Hosted], transport: Transport) -> None:
        """Start services that do not need each other, and wait until they work."""
        await asyncio.gather(*(self._start(each, transport) for each in group))

    async def _start(self, each: Hosted, transport: Transport) -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(self._host(each, transport, ready), name=each.service.name)
        self._tasks.append(task)
        waiting = asyncio.create_task(ready.wait())
        watched: set[asyncio.Task[Any]] = {task, waiting}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()

    async def _host(self, each: Hosted, transport: Transport, ready: asyncio.Event) -> None:
        async with hosted(
            each.service, each.settings, transport=transport, health=each.health
        ) as runtime:
            self.runtimes[each.service.name] = runtime
            ready.set()
            stopping = asyncio.create_task(self._stop.wait())
            watched: set[asyncio.Future[Any]] = {stopping, runtime.failed}
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if runtime.failed.done():
                self._fail(runtime.failed.exception())

    def _fail(self, error: BaseException | None) -> None:
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def stop(self) -> None:
        """Let every service drain, all at once, and insist after a while."""
        self._stop.set()
        if self.failed.done():
            self.failed.exception()  # has been seen
        if not self._tasks:
            return
        _, pending = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def running(wiring: Wiring, address: Address, announce: Announce) -> AsyncIterator[Product]:
    """The product at work for the length of the block."""
    transport = PostgresTransport(wiring.bus, name="strongroom")
    await transport.start()
    product = Product()
    try:
        for group in _groups(wiring, address, announce):
            await product.start(group, transport)
        yield product
    finally:
        await product.stop()
        await transport.close()


def _groups(wiring: Wiring, address: Address, announce: Announce) -> list[list[Hosted]]:
    """The services, those first that others ask; the gateway is ready when all others are."""
    asked = [
        Hosted(TOKEN_SERVICE, wiring.token_service(), Health()),
        Hosted(AUDIT_SINK, wiring.audit_sink(), Health()),
        Hosted(STORAGE_UPLOADER, wiring.storage_uploader(), Health()),
    ]
    workers = [
        Hosted(BACKUP_WORKER, wiring.backup_worker(), Health()),
        Hosted(RESTORE_WORKER, wiring.restore_worker(), Health()),
    ]
    health = Health()
    for each in [*asked, *workers]:
        health.add_check(each.service.name, _ready(each.health))
    settings = wiring.gateway(address)
    return [asked, workers, [Hosted(gateway(announce), settings, health)]]


def _ready(health: Health) -> Any:
    async def check() -> str | None:
        missing = (await health.report()).missing
        return "; ".join(f"{name}: {why}" for name, why in missing.items()) or None

    return check
