"""The life of a service from its pool to its last message, the same for every kind of host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from typing import TypeVar

import structlog

from common.bus.transport import Transport
from common.config import ServiceSettings
from common.db import Pool, connect, migrate
from common.db.pool import close
from common.health import Health
from common.observability import bound, metrics
from common.outbox import Relay
from common.service.definition import Service
from common.service.housekeeping import keep_house
from common.service.runtime import Runtime
from common.service.transport import open_transport

S = TypeVar("S", bound=ServiceSettings)

COMMON_MIGRATIONS = files("common") / "sql"

_LISTENING = 1  # connections that the pool spends on LISTEN
_JOBS_SHARE = 0.6  # of the grace; the rest is for handing over and for consumers
_FLUSH_SECONDS = 3.0

log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def hosted(
    service: Service[S],
    settings: S,
    *,
    transport: Transport | None = None,
    health: Health | None = None,
) -> AsyncIterator[Runtime[S]]:
    """The service at work for the length of the block, drained at its end.

    A ``transport`` that is given is shared and stays open; without one the settings' own is used.
    """
    async with AsyncExitStack() as stack:
        pool = await _database(service, settings)
        stack.push_async_callback(close, pool)
        if transport is None:
            transport = await stack.enter_async_context(open_transport(settings, service.name))
        runtime = Runtime(
            name=service.name,
            schema=service.schema,
            settings=settings,
            pool=pool,
            transport=transport,
            health=health or Health(),
        )
        relay = _relay(runtime)
        stack.push_async_callback(runtime.stop_tasks)
        stack.push_async_callback(relay.flush, _FLUSH_SECONDS)
        async with service.wire(runtime):
            try:
                await _start(runtime, relay)
                yield runtime
            finally:
                await _drain(runtime)


async def _database(service: Service[S], settings: S) -> Pool:
    with bound(service=service.name):
        pool = await connect(
            settings.database_url,
            name=service.name,
            schema=service.schema,
            size=settings.database_pool_size + _LISTENING,
        )
        try:
            await migrate(pool, ("common", COMMON_MIGRATIONS), (service.name, service.migrations))
        except BaseException:
            await close(pool)
            raise
    return pool


def _relay(runtime: Runtime[S]) -> Relay:
    async def database() -> str | None:
        await runtime.pool.fetchval("SELECT 1")
        return None

    async def bus() -> str | None:
        return runtime.transport.healthy()

    relay = Relay(runtime.name, runtime.pool, runtime.transport, runtime.notified("outbox"))
    runtime.health.add_check("database", database)
    runtime.health.add_check("bus", bus)
    runtime.health.add_warning("outbox", relay.measure)
    return relay


async def _start(runtime: Runtime[S], relay: Relay) -> None:
    metrics.BUILD.labels(runtime.name, metrics.build_version()).set(1)
    runtime.spawn("listener", runtime.listener.run())
    runtime.spawn("outbox", relay.run())
    runtime.spawn("housekeeping", keep_house(runtime.pool, [relay, *runtime.all_jobs]))
    with bound(service=runtime.name):
        await runtime.start()
    runtime.health.start()
    log.info("service started", service=runtime.name)


async def _drain(runtime: Runtime[S]) -> None:
    """Take nothing new, end or hand over what is being done. Each step has its limit."""
    log.info("service stops", service=runtime.name)
    grace = runtime.settings.shutdown_grace_seconds
    runtime.health.stop()
    for hook in reversed(runtime.drain_hooks):
        try:
            async with asyncio.timeout(grace):
                await hook()
        except Exception:
            log.exception("drain hook failed", service=runtime.name)
    with bound(service=runtime.name):
        await asyncio.gather(*(jobs.drain(grace * _JOBS_SHARE) for jobs in runtime.all_jobs))
        await runtime.stop_consumers(grace * (1 - _JOBS_SHARE))
