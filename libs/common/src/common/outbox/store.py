"""The SQL of the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common.db import Connection


@dataclass(frozen=True, slots=True)
class Row:
    """A message that waits for the relay."""

    seq: int
    id: UUID
    queue: str | None
    envelope: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not yet on the bus: how much, since when, and what the bus refuses, with a reason."""

    depth: int
    age_seconds: float
    parked: int
    reason: str


async def insert(connection: Connection, id_: UUID, queue: str | None, envelope: str) -> None:
    """Have the relay send the message once the caller's transaction has committed."""
    await connection.execute(
        "INSERT INTO outbox (id, queue, envelope) VALUES ($1, $2, $3)", id_, queue, envelope
    )


async def lock(connection: Connection) -> bool:
    """Become the one relay of this schema until the transaction ends, if nobody else is."""
    taken: bool = await connection.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.outbox', 0))"
    )
    return taken


async def due(connection: Connection, limit: int) -> list[Row]:
    """The oldest messages that may be sent now, in the order in which they were written."""
    rows = await connection.fetch(
        """
        SELECT seq, id, queue, envelope, attempts FROM outbox
        WHERE retry_at IS NULL OR retry_at <= clock_timestamp()
        ORDER BY seq LIMIT $1
        """,
        limit,
    )
    return [Row(**dict(row)) for row in rows]


async def delete(connection: Connection, seqs: Sequence[int]) -> None:
    """Forget messages that are on the bus."""
    await connection.execute("DELETE FROM outbox WHERE seq = ANY($1::bigint[])", seqs)


async def park(connection: Connection, seq: int, reason: str, seconds: float | None) -> None:
    """Set a message aside for ``seconds``, or until an operator clears ``retry_at``."""
    await connection.execute(
        """
        UPDATE outbox SET attempts = attempts + 1, reason = $2,
            retry_at = coalesce(clock_timestamp() + make_interval(secs => $3), 'infinity')
        WHERE seq = $1
        """,
        seq,
        reason,
        seconds,
    )


async def backlog(connection: Connection) -> Backlog:
    """How far behind the relay is."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE retry_at IS NULL) AS depth,
            coalesce(extract(epoch FROM clock_timestamp()
                - min(created_at) FILTER (WHERE retry_at IS NULL)), 0)::float8 AS age_seconds,
            count(retry_at) AS parked,
            coalesce(max(reason) FILTER (WHERE retry_at IS NOT NULL), '') AS reason
        FROM outbox
        """
    )
    return Backlog(**dict(row or {}))
