"""Lists of backups, with their copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.db import Connection
from gateway.backups.domain import Backup, BackupState
from gateway.backups.store.rows import COLUMNS, backup_of

_COPIES = """
    coalesce((SELECT jsonb_agg(jsonb_build_object('destination', u.destination,
        'state', u.state, 'objects', u.objects, 'size_bytes', u.size_bytes,
        'failure', u.failure, 'retry_at', u.retry_at, 'told_at', u.told_at)
        ORDER BY u.destination)
        FROM uploads u WHERE u.backup_id = b.id), '[]') AS copies
"""
_SELECT = f"SELECT {COLUMNS}, {_COPIES} FROM backups b "  # noqa: S608 - constants
_MATCHING = """
    WHERE b.name <> '' AND b.state = ANY($1::text[])
    AND ($2::text IS NULL OR b.station = $2) AND ($3::text IS NULL OR b.name = $3)
"""
_COUNT = f"SELECT count(*) FROM backups b {_MATCHING}"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a copy of a backup is, or why it is not there."""

    destination: str
    state: str
    objects: int
    size_bytes: int
    failure: dict[str, Any] | None
    retry_at: datetime | None
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup and its copies."""

    backup: Backup
    copies: list[Upload]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which backups are asked for."""

    states: Sequence[BackupState]
    station: str | None = None
    name: str | None = None
    limit: int = 50
    offset: int = 0


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _listed(row: Any) -> Listed:
    copies = [
        Upload(**{**copy, "retry_at": _time(copy["retry_at"]), "told_at": _time(copy["told_at"])})
        for copy in row["copies"]
    ]
    return Listed(backup_of(row), copies)


async def page(connection: Connection, wanted: Wanted) -> tuple[list[Listed], int]:
    """Backups, newest first, and how many match in all."""
    matching = (list(wanted.states), wanted.station, wanted.name)
    rows = await connection.fetch(
        _SELECT + _MATCHING + "ORDER BY b.created_at DESC, b.id DESC LIMIT $4 OFFSET $5",
        *matching,
        wanted.limit,
        wanted.offset,
    )
    total: int = await connection.fetchval(_COUNT, *matching)
    return [_listed(row) for row in rows], total


async def show(connection: Connection, backup_id: str) -> Listed | None:
    """One backup with its copies."""
    row = await connection.fetchrow(_SELECT + "WHERE b.id = $1", backup_id)
    return _listed(row) if row else None


async def find_by_name(connection: Connection, name: str) -> str | None:
    """The id of the backup that a name means: the newest one there, else the newest at all."""
    found: str | None = await connection.fetchval(
        """
        SELECT id::text FROM backups WHERE name = $1
        ORDER BY state = 'completed' DESC, created_at DESC, id DESC LIMIT 1
        """,
        name,
    )
    return found
