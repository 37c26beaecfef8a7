"""Begins what is due: the next round of what failed, the next comparison of each destination."""

import asyncio

import structlog

from common.db import is_transient
from common.service import Runtime
from storage_uploader.handlers import start
from storage_uploader.settings import UploaderSettings
from storage_uploader.store import uploads

_TICK_SECONDS = 5.0

log = structlog.stdlib.get_logger(__name__)


async def begin_what_is_due(runtime: Runtime[UploaderSettings]) -> None:
    """One look at the tables. Replicas may look at the same time: each thing begins once."""
    station = runtime.settings.strongroom_station
    async with runtime.transaction() as context:
        await start(context, await uploads.begin_due_rounds(context.conn, station))
        await start(context, await uploads.request_reconciles(context.conn, station))


async def keep_schedule(runtime: Runtime[UploaderSettings]) -> None:
    """Look every few seconds, until cancelled."""
    while True:
        try:
            await begin_what_is_due(runtime)
        except Exception as error:
            if not is_transient(error):
                raise
            log.info("schedule waits", error=type(error).__name__)
        await asyncio.sleep(_TICK_SECONDS)
