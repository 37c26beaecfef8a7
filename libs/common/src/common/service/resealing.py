"""After a change of the key that secrets are sealed under: every secret is sealed anew.

Each batch is a transaction of its own, which also counts it: whoever is killed loses one batch at
most, and whoever comes next goes on. Any number of replicas may do it at once.

The service has a table ``resealings`` (key_id text primary key, resealed bigint, started_at,
updated_at, finished_at): how far each change of the key has come.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog

from common.db import Connection, transaction
from common.outbox import Context
from common.service.runtime import Runtime

BATCH = 100
# A replica that still has the former list may write under a former key meanwhile.
AGAIN_SECONDS = 600.0
_FIRST = UUID(int=0)

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What was done with some rows, of which ``last`` is the last by its id."""

    last: UUID
    resealed: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come: ``waiting`` of the secrets are not under the newest key, and for
    ``unreadable`` of those the key is not here. Without any key ``key_id`` is empty.
    """

    key_id: str
    secrets: int
    resealed: int
    waiting: int
    unreadable: int
    finished_at: datetime | None


class SealedTable(Protocol):
    """A table of secrets, each of which says which key it is under."""

    async def key_ids(self) -> Sequence[str]:
        """The ids of the keys that are here, newest first; none if none is configured."""
        ...

    async def count(self, connection: Connection) -> Mapping[str, int]:
        """How many secrets are under each key."""
        ...

    async def reseal(self, connection: Connection, after: UUID, limit: int) -> Batch | None:
        """Seal under the newest key what is not and comes after ``after``; None: there is none.

        Rows that somebody else has taken are passed over. What no key opens stays as it is.
        """
        ...


class Resealing:
    """Keeps every secret of a table under the newest key.

    ``what`` the secrets are, and under which ``setting``, is for the operator.
    """

    def __init__(
        self, runtime: Runtime[Any], table: SealedTable, *, what: str, setting: str
    ) -> None:
        self._runtime = runtime
        self._table = table
        self._what = what
        self._setting = setting

    async def run(self) -> None:
        """Seal what has to be sealed anew, and look again from time to time, until cancelled."""
        while True:
            try:
                if await self._any():
                    await self.once()
            except Exception as error:  # noqa: BLE001 - the next turn goes on where this one ended
                log.info("sealing anew waits", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _any(self) -> bool:
        """Whether there is anything: making keys is slow on purpose."""
        async with transaction(self._runtime.pool) as connection:
            return bool(await self._table.count(connection))

    async def once(self) -> Progress:
        """Seal everything that opens and is not under the newest key; without a key nothing."""
        keys = await self._table.key_ids()
        after: UUID | None = _FIRST if keys else None
        while after is not None:
            after = await self._batch(keys[0], after)
        progress = await self.progress()
        if not progress.waiting:
            await self._finish(progress)
        return progress

    async def progress(self) -> Progress:
        """How far it has come."""
        keys = await self._table.key_ids()
        newest = keys[0] if keys else ""
        async with transaction(self._runtime.pool) as connection:
            counts = await self._table.count(connection)
            row = await connection.fetchrow(
                "SELECT resealed, finished_at FROM resealings WHERE key_id = $1", newest
            )
        return Progress(
            newest,
            sum(counts.values()),
            row["resealed"] if row else 0,
            waiting(newest, counts),
            sum(count for key, count in counts.items() if key not in keys),
            row["finished_at"] if row else None,
        )

    async def warning(self) -> str | None:
        """A sentence when there are secrets that none of the keys opens."""
        progress = await self.progress() if await self._any() else None
        if progress is None or not progress.unreadable:
            return None
        return (
            f"{progress.unreadable} {self._what} are sealed under keys that are not in"
            f" {self._setting}. Put the former key behind the newest, after a comma, or set them up"
            " again."
        )

    async def _batch(self, newest: str, after: UUID) -> UUID | None:
        async with self._runtime.transaction() as context:
            batch = await self._table.reseal(context.conn, after, BATCH)
            if batch is None:
                return None
            await _advance(context.conn, newest, batch.resealed)
        log.info("sealed anew", key=newest, secrets=batch.resealed, unreadable=batch.unreadable)
        return batch.last

    async def _finish(self, progress: Progress) -> None:
        async with self._runtime.transaction() as context:
            if await _finished(context.conn, progress.key_id):
                await self._audit(context, progress)

    async def _audit(self, context: Context, progress: Progress) -> None:
        await context.audit(
            "rotate",
            event_type="encryption_key_rotated",
            entity_type="key",
            entity_id=progress.key_id,
            risk_level="high",
            data={"resealed": progress.resealed},
        )


def waiting(newest: str, counts: Mapping[str, int]) -> int:
    """How many of the secrets are not under the key ``newest``; without one none is."""
    return sum(count for key, count in counts.items() if key != newest or not newest)


async def _advance(connection: Connection, key_id: str, count: int) -> None:
    """Record that so many more secrets were sealed under this key."""
    await connection.execute(
        """
        INSERT INTO resealings AS r (key_id, resealed) VALUES ($1, $2)
        ON CONFLICT (key_id) DO UPDATE
        SET resealed = r.resealed + $2, finished_at = NULL, updated_at = now()
        """,
        key_id,
        count,
    )


async def _finished(connection: Connection, key_id: str) -> bool:
    """Record that no secret is left under another key; False: that is recorded, or none was."""
    status = await connection.execute(
        """
        UPDATE resealings SET finished_at = now(), updated_at = now()
        WHERE key_id = $1 AND finished_at IS NULL
        """,
        key_id,
    )
    return bool(status.endswith(" 1"))
