"""All SQL of backup-worker. Every function works in the transaction of its caller."""

from collections.abc import Sequence
from uuid import UUID

from backup_worker.domain import Head
from common.components.component import Amount
from common.db import Connection
from common.messages import BackupCompleted, Failure, RunBackup


async def begin_backup(connection: Connection, message: RunBackup, chain: str) -> None:
    """The backup runs; also after a takeover, when the row is already there."""
    await connection.execute(
        """
        INSERT INTO backups (backup_id, backup_name, station, plan, backup_type, status, chain)
        VALUES ($1, $2, $3, $4, $5, 'running', $6)
        ON CONFLICT (backup_id) DO UPDATE SET status = 'running', failure = NULL, ended_at = NULL
        """,
        message.backup_id,
        message.backup_name,
        message.station,
        message.plan,
        message.backup_type,
        chain,
    )


async def begin_run(
    connection: Connection, run_id: UUID, backup_id: str, worker: str, attempt: int
) -> None:
    """Remember under which id an attempt writes, before it writes anything."""
    await connection.execute(
        "INSERT INTO runs (run_id, backup_id, worker, attempt) VALUES ($1, $2, $3, $4)",
        run_id,
        backup_id,
        worker,
        attempt,
    )


async def earlier_runs(connection: Connection, backup_id: str) -> list[UUID]:
    """The open runs of this backup, the newest first."""
    rows = await connection.fetch(
        "SELECT run_id FROM runs WHERE backup_id = $1 AND open ORDER BY started_at DESC", backup_id
    )
    return [row["run_id"] for row in rows]


async def dead_runs(connection: Connection, station: str, limit: int = 100) -> list[UUID]:
    """Open runs of this station's backups that have ended: what they left is only litter."""
    rows = await connection.fetch(
        """
        SELECT run_id FROM runs JOIN backups USING (backup_id)
        WHERE open AND station = $1 AND status <> 'running'
        ORDER BY runs.started_at LIMIT $2
        """,
        station,
        limit,
    )
    return [row["run_id"] for row in rows]


async def last_amount(connection: Connection, chain: str, backup_type: str) -> Amount | None:
    """How much the last such backup had."""
    row = await connection.fetchrow(
        """
        SELECT entries, size_bytes FROM backups
        WHERE chain = $1 AND backup_type = $2 AND status = 'completed'
        ORDER BY counter DESC LIMIT 1
        """,
        chain,
        backup_type,
    )
    return Amount(*row) if row is not None else None


async def close_runs(connection: Connection, runs: Sequence[UUID]) -> None:
    """Nothing of these runs is left in the repository but what snapshots need."""
    await connection.execute("UPDATE runs SET open = false WHERE run_id = ANY($1)", list(runs))


async def lock_chain(connection: Connection, chain: str) -> Head:
    """The head of a chain as recorded; nobody else can append to it until the transaction ends."""
    await connection.execute(
        "INSERT INTO chains (chain) VALUES ($1) ON CONFLICT (chain) DO NOTHING", chain
    )
    row = await connection.fetchrow(
        "SELECT counter, snapshot_id FROM chains WHERE chain = $1 FOR UPDATE", chain
    )
    return Head(row["counter"], row["snapshot_id"]) if row else Head()


async def move_head(connection: Connection, chain: str, head: Head) -> None:
    """Record a snapshot as the head, unless a later one is recorded already."""
    await connection.execute(
        """
        UPDATE chains SET counter = $2, snapshot_id = $3, updated_at = now()
        WHERE chain = $1 AND counter < $2
        """,
        chain,
        head.counter,
        head.snapshot_id,
    )


async def complete_backup(connection: Connection, event: BackupCompleted) -> None:
    """The backup stands in the repository."""
    await connection.execute(
        """
        UPDATE backups SET status = 'completed', counter = $2, snapshot_id = $3, entries = $4,
            size_bytes = $5, added_bytes = $6, stored_bytes = $7, warnings = $8, ended_at = now()
        WHERE backup_id = $1
        """,
        event.backup_id,
        event.counter,
        event.snapshot_id,
        event.entries,
        event.size_bytes,
        event.added_bytes,
        event.stored_bytes,
        list(event.warnings),
    )


async def fail_backup(
    connection: Connection, message: RunBackup, chain: str, failure: Failure
) -> None:
    """The backup has failed for good, perhaps before it ever ran."""
    await begin_backup(connection, message, chain)
    await connection.execute(
        "UPDATE backups SET status = 'failed', failure = $2, ended_at = now() WHERE backup_id = $1",
        message.backup_id,
        failure.model_dump(),
    )


async def cancel_backup(connection: Connection, message: RunBackup, chain: str) -> None:
    """The backup was stopped on request, perhaps before it ever ran."""
    await begin_backup(connection, message, chain)
    await connection.execute(
        "UPDATE backups SET status = 'cancelled', ended_at = now() WHERE backup_id = $1",
        message.backup_id,
    )
