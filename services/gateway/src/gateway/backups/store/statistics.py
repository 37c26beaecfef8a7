"""Numbers over all backups."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.db import Connection


@dataclass(frozen=True, slots=True)
class Statistics:
    """Numbers over all backups, restores, verifications and copies."""

    by_state: dict[str, int]
    size_bytes: int
    added_bytes: int
    stored_bytes: int
    last_completed_at: datetime | None
    last_failed_at: datetime | None
    last_verified_at: datetime | None
    last_restored_at: datetime | None
    damaged: int
    unverified: int
    active: int
    operations: dict[str, dict[str, int]]
    copies: list[dict[str, Any]]


_BACKUPS = """
    SELECT coalesce(sum(size_bytes) FILTER (WHERE state = 'completed'), 0)::bigint AS size_bytes,
        coalesce(sum(added_bytes) FILTER (WHERE state = 'completed'), 0)::bigint AS added_bytes,
        coalesce(sum(stored_bytes) FILTER (WHERE state = 'completed'), 0)::bigint AS stored_bytes,
        max(finished_at) FILTER (WHERE state = 'completed') AS last_completed_at,
        max(finished_at) FILTER (WHERE state = 'failed') AS last_failed_at,
        max(verified_at) FILTER (WHERE verified_ok) AS last_verified_at,
        max(restored_at) AS last_restored_at,
        count(*) FILTER (WHERE state = 'completed' AND verified_ok = false) AS damaged,
        count(*) FILTER (WHERE state = 'completed' AND verified_at IS NULL) AS unverified,
        count(*) FILTER (WHERE state IN ('queued', 'running')) AS active
    FROM backups
"""
_COPIES = """
    SELECT u.destination, count(*) FILTER (WHERE u.state = 'completed') AS completed,
        count(*) FILTER (WHERE u.state = 'failed') AS failed,
        coalesce(sum(u.size_bytes) FILTER (WHERE u.state = 'completed'), 0)::bigint AS size_bytes
    FROM uploads u JOIN backups b ON b.id = u.backup_id AND b.state = 'completed'
    GROUP BY u.destination ORDER BY u.destination
"""


async def statistics(connection: Connection) -> Statistics:
    """The numbers, all of one moment when the transaction sees one."""
    numbers = dict(await connection.fetchrow(_BACKUPS) or {})
    states = await connection.fetch("SELECT state, count(*) FROM backups GROUP BY state")
    kinds = await connection.fetch(
        "SELECT kind, state, count(*) FROM operations GROUP BY kind, state ORDER BY kind, state"
    )
    operations: dict[str, dict[str, int]] = {}
    for row in kinds:
        operations.setdefault(row["kind"], {})[row["state"]] = row["count"]
    return Statistics(
        **numbers,
        by_state={row["state"]: row["count"] for row in states},
        operations=operations,
        copies=[dict(row) for row in await connection.fetch(_COPIES)],
    )
