"""All SQL about operations."""

from dataclasses import dataclass
from typing import Any

from common.db import Connection
from gateway.operations.domain import Kind, Operation, State
from gateway.text import storable

_SELECT = """
    SELECT id::text, kind, state, backup_id::text, station, request, result, failure, worker,
        attempt, requested_by, created_at, started_at, finished_at
    FROM operations
"""
_MATCHING = """
    WHERE kind = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR backup_id = $3)
"""
_COUNT = f"SELECT count(*) FROM operations {_MATCHING}"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a request that is sent twice act once: the client's key, and what was asked."""

    key: str
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which operations of a kind are asked for."""

    kind: Kind
    state: State | None = None
    backup_id: str | None = None
    limit: int = 50
    offset: int = 0


def _operation(row: Any) -> Operation:
    fields = dict(row)
    fields["kind"] = Kind(fields["kind"])
    fields["state"] = State(fields["state"])
    return Operation(**fields)


async def find(connection: Connection, operation_id: str) -> Operation | None:
    """The operation with that id."""
    row = await connection.fetchrow(_SELECT + "WHERE id = $1", operation_id)
    return _operation(row) if row else None


async def lock(connection: Connection, operation_id: str) -> Operation | None:
    """The operation, which nobody else changes until the transaction ends."""
    row = await connection.fetchrow(_SELECT + "WHERE id = $1 FOR UPDATE", operation_id)
    return _operation(row) if row else None


async def find_by_key(
    connection: Connection, user_id: str, key: str
) -> tuple[Operation, bytes] | None:
    """What this user's earlier request with the key made, and the digest of that request.

    Requests with one key that come at the same time go one after another.
    """
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(
            hashtextextended('gateway.idempotency ' || $1::text || ' ' || $2::text, 0))
        """,
        user_id,
        key,
    )
    row = await connection.fetchrow(
        "SELECT id::text, request_digest FROM operations"
        " WHERE requested_by = $1 AND idempotency_key = $2",
        user_id,
        key,
    )
    operation = await find(connection, row["id"]) if row else None
    return (operation, row["request_digest"]) if row and operation else None


async def add(connection: Connection, operation: Operation, key: Key | None = None) -> None:
    """Record an operation that was asked for here, or first heard of; a known one stays."""
    await connection.execute(
        """
        INSERT INTO operations (id, kind, state, backup_id, station, request, requested_by,
            created_at, idempotency_key, request_digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO NOTHING
        """,
        operation.id,
        operation.kind,
        operation.state,
        operation.backup_id,
        operation.station,
        storable(operation.request),
        operation.requested_by,
        operation.created_at,
        key.key if key else None,
        key.request_digest if key else None,
    )


async def save(connection: Connection, operation: Operation) -> None:
    """Store what has changed of a locked operation."""
    await connection.execute(
        """
        UPDATE operations SET state = $2, result = $3, failure = $4, worker = $5, attempt = $6,
            started_at = $7, finished_at = $8
        WHERE id = $1
        """,
        operation.id,
        operation.state,
        storable(operation.result),
        storable(operation.failure),
        storable(operation.worker),
        operation.attempt,
        operation.started_at,
        operation.finished_at,
    )


async def active_kinds(connection: Connection, backup_id: str) -> set[Kind]:
    """What waits or runs for a backup."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT kind FROM operations
        WHERE backup_id = $1 AND state IN ('queued', 'running')
        """,
        backup_id,
    )
    return {Kind(row["kind"]) for row in rows}


async def page(connection: Connection, wanted: Wanted) -> tuple[list[Operation], int]:
    """Operations, newest first, and how many match in all."""
    matching = (wanted.kind, wanted.state, wanted.backup_id)
    rows = await connection.fetch(
        _SELECT + _MATCHING + "ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5",
        *matching,
        wanted.limit,
        wanted.offset,
    )
    total: int = await connection.fetchval(_COUNT, *matching)
    return [_operation(row) for row in rows], total
