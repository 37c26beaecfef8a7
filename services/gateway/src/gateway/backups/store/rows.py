"""One backup at a time: read, lock, change."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from common.db import Connection
from gateway.backups.domain import LIVE, Backup, BackupState
from gateway.text import storable

_FIELDS = [each.name for each in fields(Backup)]
COLUMNS = ", ".join("b.id::text" if name == "id" else f"b.{name}" for name in _FIELDS)
_SELECT = f"SELECT {COLUMNS} FROM backups b "  # noqa: S608 - the names of a class's fields
_CHANGING = _FIELDS[1:]
_UPDATE = (
    "UPDATE backups SET "  # noqa: S608 - the names of a class's fields
    + ", ".join(f"{name} = ${number}" for number, name in enumerate(_CHANGING, 2))
    + " WHERE id = $1"
)


def backup_of(row: Any) -> Backup:
    """The backup in a row that has ``COLUMNS``."""
    found = {name: row[name] for name in _FIELDS}
    found["state"] = BackupState(found["state"])
    return Backup(**found)


async def find(connection: Connection, backup_id: str) -> Backup | None:
    """The backup with that id."""
    row = await connection.fetchrow(_SELECT + "WHERE b.id = $1", backup_id)
    return backup_of(row) if row else None


async def lock(connection: Connection, backup_id: str) -> Backup | None:
    """The backup, which nobody else changes until the transaction ends."""
    row = await connection.fetchrow(_SELECT + "WHERE b.id = $1 FOR UPDATE", backup_id)
    return backup_of(row) if row else None


async def first_heard(connection: Connection, backup_id: str, at: datetime) -> Backup:
    """The backup, locked; made now if nothing was known of it."""
    await connection.execute(
        "INSERT INTO backups (id, created_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        backup_id,
        at,
    )
    backup = await lock(connection, backup_id)
    if backup is None:
        raise LookupError(backup_id)
    return backup


async def save(connection: Connection, backup: Backup) -> None:
    """Store a locked backup."""
    values = storable(asdict(backup))
    await connection.execute(_UPDATE, backup.id, *(values[name] for name in _CHANGING))


async def name_taken(connection: Connection, name: str) -> bool:
    """Whether a backup that is there, or on its way, has the name.

    Requests for one name go one after another until the transaction ends.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('gateway.name ' || $1::text, 0))", name
    )
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM backups WHERE name = $1 AND state = ANY($2::text[]))",
        name,
        list(LIVE),
    )
    return bool(found)


@dataclass(frozen=True, slots=True)
class Copy:
    """What an uploader told about a backup at a destination."""

    backup_id: str
    destination: str
    state: Literal["completed", "failed"]
    told_at: datetime
    objects: int = 0
    size_bytes: int = 0
    failure: dict[str, Any] | None = None
    retry_at: datetime | None = None


async def save_upload(connection: Connection, copy: Copy) -> None:
    """Store it, unless something newer was told before."""
    await connection.execute(
        """
        INSERT INTO uploads AS u (backup_id, destination, state, told_at, objects, size_bytes,
            failure, retry_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (backup_id, destination) DO UPDATE SET state = excluded.state,
            told_at = excluded.told_at, objects = excluded.objects,
            size_bytes = excluded.size_bytes, failure = excluded.failure,
            retry_at = excluded.retry_at
        WHERE u.told_at <= excluded.told_at
        """,
        copy.backup_id,
        copy.destination,
        copy.state,
        copy.told_at,
        copy.objects,
        copy.size_bytes,
        storable(copy.failure),
        copy.retry_at,
    )
