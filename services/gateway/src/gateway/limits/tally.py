"""What was refused, for metrics and for the statistics over all replicas."""

import asyncio
from collections import Counter
from typing import Literal

import structlog

from common.db import Pool, is_transient, transaction
from common.observability import metrics
from gateway.limits import store

Noted = Literal[
    "rate_limited_requests",
    "failed_login_attempts",
    "account_lockouts",
    "input_validation_failures",
    "file_upload_rejections",
]

log = structlog.stdlib.get_logger(__name__)


class Tally:
    """Counts in memory and writes now and then: a flood of refusals costs few writes.

    What a crash loses is what was seen since the last write, a few seconds.
    """

    def __init__(self, pool: Pool, service: str) -> None:
        self._pool = pool
        self._service = service
        self._seen: Counter[str] = Counter()

    def note(self, what: Noted) -> None:
        """Count one more."""
        self._seen[what] += 1
        metrics.SECURITY_EVENTS.labels(self._service, what).inc()

    async def flush(self) -> None:
        """Write down what was counted."""
        seen, self._seen = self._seen, Counter()
        if not seen:
            return
        try:
            async with transaction(self._pool) as connection:
                await store.add_counts(connection, seen)
        except BaseException:
            self._seen += seen
            raise

    async def keep(self, every: float = 5.0) -> None:
        """Write down now and then, for as long as this runs."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.flush()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("the database is away, counting on")
