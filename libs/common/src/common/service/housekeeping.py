"""What has to be done from time to time: metrics brought up to date, old rows removed."""

import asyncio
import random
import time
from collections.abc import Awaitable, Sequence
from typing import Protocol

import structlog

from common import consumer, jobs
from common.db import Pool

_MEASURE_SECONDS = 15.0
_PURGE_SECONDS = 3600.0

log = structlog.stdlib.get_logger(__name__)


class Measured(Protocol):
    """Something whose metrics need a look into the database or at the bus."""

    def measure(self) -> Awaitable[object]:
        """Bring the metrics up to date."""


async def keep_house(pool: Pool, measured: Sequence[Measured]) -> None:
    """Measure and purge until cancelled; what fails is tried again with the next turn."""
    purge_at = time.monotonic() + random.uniform(10, 60)  # noqa: S311 - replicas must not go in step
    while True:
        try:
            for each in measured:
                await each.measure()
            if time.monotonic() >= purge_at:
                purge_at = time.monotonic() + _PURGE_SECONDS
                await consumer.purge(pool)
                await jobs.purge(pool)
        except Exception as error:  # noqa: BLE001 - housekeeping must not end the service
            log.info("housekeeping waits", error=type(error).__name__)
        await asyncio.sleep(_MEASURE_SECONDS)
