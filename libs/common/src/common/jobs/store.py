"""The SQL of the jobs table. All times are the database's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from common.db import Connection

Ending = Literal["succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that this worker now runs, or has to end."""

    id: str
    envelope: str
    attempt: int
    fence: int
    cancel_requested: bool
    was: str
    previous_worker: str = ""
    reason: str = ""
    """Why an earlier attempt failed, where that was recorded."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the row says to the holder of a fencing number."""

    held: bool
    cancel_requested: bool


async def begin(
    connection: Connection,
    id_: str,
    queue: str,
    type_: str,
    envelope: str,
    worker: str,
    lease: float,
) -> bool:
    """Record a new job as running here; False if there is a row of this id already."""
    status = await connection.execute(
        """
        INSERT INTO jobs (id, queue, type, envelope, state, attempt, fence, worker,
                          lease_expires_at)
        VALUES ($1, $2, $3, $4, 'running', 1, 1, $5,
                clock_timestamp() + make_interval(secs => $6))
        ON CONFLICT (id) DO NOTHING
        """,
        id_,
        queue,
        type_,
        envelope,
        worker,
        lease,
    )
    return status.endswith(" 1")


async def fill_cancelled(
    connection: Connection, id_: str, queue: str, type_: str, envelope: str
) -> bool:
    """Give a cancel that came before its command that command; False if there is none."""
    status = await connection.execute(
        """
        UPDATE jobs SET queue = $2, type = $3, envelope = $4
        WHERE id = $1 AND state = 'cancelled' AND envelope = ''
        """,
        id_,
        queue,
        type_,
        envelope,
    )
    return status.endswith(" 1")


async def claim(
    connection: Connection, queues: Sequence[str], worker: str, lease: float
) -> Taken | None:
    """Take the oldest job of these queues that waits, or whose worker has fallen silent.

    What is dated more than a day ahead was so by a clock that was wrong, and waits for nothing;
    but a worker takes over no such job from itself: its next heartbeat dates it anew.
    """
    row = await connection.fetchrow(
        """
        WITH next AS (
            SELECT id, state, worker FROM jobs
            WHERE queue = ANY($1::text[])
              AND ((state = 'waiting' AND coalesce(retry_at, '-infinity') <= clock_timestamp())
                OR (state = 'running' AND lease_expires_at < clock_timestamp())
                OR (state IN ('waiting', 'running') AND worker <> $2
                    AND greatest(retry_at, lease_expires_at)
                        > clock_timestamp() + make_interval(days => 1, secs => $3)))
            ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        UPDATE jobs SET state = 'running', worker = $2, attempt = jobs.attempt + 1,
            fence = jobs.fence + 1, retry_at = NULL,
            lease_expires_at = clock_timestamp() + make_interval(secs => $3)
        FROM next WHERE jobs.id = next.id
        RETURNING jobs.id, jobs.envelope, jobs.attempt, jobs.fence, jobs.cancel_requested,
            next.state AS was, next.worker AS previous_worker, jobs.reason
        """,
        list(queues),
        worker,
        lease,
    )
    return Taken(**dict(row)) if row else None


async def renew(connection: Connection, id_: str, fence: int, lease: float) -> Standing:
    """Extend the lease, unless it has run out, even if nobody has taken the job over yet."""
    row = await connection.fetchrow(
        """
        UPDATE jobs SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
        WHERE id = $1 AND fence = $2 AND state = 'running' AND lease_expires_at > clock_timestamp()
        RETURNING cancel_requested
        """,
        id_,
        fence,
        lease,
    )
    return Standing(row is not None, bool(row and row["cancel_requested"]))


async def hold(connection: Connection, id_: str, fence: int, lease: float) -> Standing:
    """Lock the row until the transaction ends: nobody can take it over or cancel it meanwhile.

    The server ends the transaction, and with it the lock, if the worker is silent for a lease.
    """
    await connection.execute(
        "SELECT set_config('idle_in_transaction_session_timeout', $1, true)",
        f"{int(lease * 1000)}ms",
    )
    row = await connection.fetchrow(
        """
        SELECT cancel_requested FROM jobs
        WHERE id = $1 AND fence = $2 AND state = 'running' AND lease_expires_at > clock_timestamp()
        FOR UPDATE
        """,
        id_,
        fence,
    )
    return Standing(row is not None, bool(row and row["cancel_requested"]))


async def extend(connection: Connection, id_: str, lease: float) -> None:
    """Start the lease anew in a transaction that holds the job, however long it has taken."""
    await connection.execute(
        """
        UPDATE jobs SET lease_expires_at = clock_timestamp() + make_interval(secs => $2)
        WHERE id = $1
        """,
        id_,
        lease,
    )


async def end(connection: Connection, id_: str, state: Ending, reason: str = "") -> None:
    """The last word on a job that the transaction holds."""
    await connection.execute(
        """
        UPDATE jobs SET state = $2, reason = $3, ended_at = clock_timestamp(),
            lease_expires_at = NULL WHERE id = $1
        """,
        id_,
        state,
        reason,
    )


async def release(
    connection: Connection, id_: str, fence: int, *, delay: float, reason: str, counts: bool
) -> bool:
    """Let any worker take the job after ``delay``; False if it is no longer held here."""
    status = await connection.execute(
        """
        UPDATE jobs SET state = 'waiting', worker = '', lease_expires_at = NULL, reason = $4,
            retry_at = clock_timestamp() + make_interval(secs => $3),
            attempt = CASE WHEN $5 THEN attempt ELSE greatest(attempt - 1, 0) END
        WHERE id = $1 AND fence = $2 AND state = 'running'
        """,
        id_,
        fence,
        delay,
        reason,
        counts,
    )
    return status.endswith(" 1")


async def request_cancel(connection: Connection, id_: str) -> Taken | None:
    """Ask for a job to stop, also one not heard of yet; None if it has ended.

    ``was`` is the state: running (its worker is notified), waiting (the caller ends it now) or
    cancelled (its command has not come yet).
    """
    row = await connection.fetchrow(
        """
        INSERT INTO jobs (id, state, cancel_requested, ended_at)
        VALUES ($1, 'cancelled', true, clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET cancel_requested = true
            WHERE jobs.state IN ('waiting', 'running')
        RETURNING id, envelope, attempt, fence, cancel_requested, state AS was, worker AS
            previous_worker
        """,
        id_,
    )
    if row is None:
        return None
    await connection.execute("SELECT pg_notify(current_schema() || '_jobs', $1)", id_)
    return Taken(**dict(row))


async def waiting(connection: Connection, queues: Sequence[str]) -> int:
    """How many jobs of these queues wait for a worker, apart from those still on the bus."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM jobs WHERE state = 'waiting' AND queue = ANY($1::text[])",
        list(queues),
    )
    return count


async def purge(connection: Connection, days: int) -> None:
    """Forget jobs that ended long ago."""
    await connection.execute(
        "DELETE FROM jobs WHERE ended_at < now() - make_interval(days => $1)", days
    )
