"""All SQL of restore-worker. Every function works in the transaction of its caller."""

from collections.abc import Collection
from typing import Literal

from common.db import Connection
from common.messages import (
    BackupVerified,
    ComponentResult,
    DeleteBackup,
    Failure,
    RestoreCompleted,
    RunRestore,
    VerifyBackup,
)

Ending = Literal["failed", "cancelled"]


async def begin_restore(connection: Connection, message: RunRestore) -> bool:
    """The restore runs; False if it had begun before."""
    row = await connection.fetchrow(
        """
        INSERT INTO restores (restore_id, backup_id, snapshot_id, station, options, status)
        VALUES ($1, $2, $3, $4, $5, 'running')
        ON CONFLICT (restore_id)
            DO UPDATE SET status = 'running', failure = NULL, ended_at = NULL
        RETURNING xmax = 0 AS new
        """,
        message.restore_id,
        message.backup_id,
        message.snapshot_id,
        message.station,
        options(message),
    )
    return bool(row and row["new"])


def options(message: RunRestore) -> dict[str, object]:
    """What was asked for, as it is kept and audited."""
    return message.model_dump(
        mode="json", include={"components", "paths", "target", "databases", "in_place"}
    )


async def note_component(connection: Connection, restore_id: str, result: ComponentResult) -> None:
    """A component stands in its database, whatever becomes of the rest."""
    await connection.execute(
        "UPDATE restores SET components = components || $2 WHERE restore_id = $1",
        restore_id,
        [result.model_dump(mode="json")],
    )


async def noted_components(connection: Connection, restore_id: str) -> tuple[ComponentResult, ...]:
    """What earlier attempts have put into databases."""
    rows = await connection.fetchval(
        "SELECT components FROM restores WHERE restore_id = $1", restore_id
    )
    return tuple(ComponentResult.model_validate(row) for row in rows or ())


async def complete_restore(connection: Connection, event: RestoreCompleted) -> None:
    """Everything asked for is restored."""
    await connection.execute(
        """
        UPDATE restores SET status = 'completed', target = $2, entries = $3, size_bytes = $4,
            components = $5, warnings = $6, ended_at = now()
        WHERE restore_id = $1
        """,
        event.restore_id,
        event.target,
        event.entries,
        event.size_bytes,
        [component.model_dump(mode="json") for component in event.components],
        list(event.warnings),
    )


async def end_restore(
    connection: Connection, message: RunRestore, status: Ending, failure: Failure | None = None
) -> None:
    """The restore has ended without success, perhaps before it ever ran."""
    await begin_restore(connection, message)
    await connection.execute(
        "UPDATE restores SET status = $2, failure = $3, ended_at = now() WHERE restore_id = $1",
        message.restore_id,
        status,
        failure.model_dump() if failure else None,
    )


async def ended_restores(connection: Connection, restore_ids: Collection[str]) -> set[str]:
    """Which of these restores have ended, however."""
    rows = await connection.fetch(
        "SELECT restore_id FROM restores WHERE restore_id = ANY($1) AND status <> 'running'",
        list(restore_ids),
    )
    return {row["restore_id"] for row in rows}


async def begin_verification(connection: Connection, message: VerifyBackup) -> None:
    """The verification runs."""
    await connection.execute(
        """
        INSERT INTO verifications (verification_id, backup_id, snapshot_id, status)
        VALUES ($1, $2, $3, 'running')
        ON CONFLICT (verification_id)
            DO UPDATE SET status = 'running', failure = NULL, ended_at = NULL
        """,
        message.verification_id,
        message.backup_id,
        message.snapshot_id,
    )


async def complete_verification(connection: Connection, event: BackupVerified) -> None:
    """The verification has ended, with or without findings."""
    await connection.execute(
        """
        UPDATE verifications SET status = 'completed', ok = $2, objects = $3, read_bytes = $4,
            findings = $5, ended_at = now()
        WHERE verification_id = $1
        """,
        event.verification_id,
        event.ok,
        event.objects,
        event.read_bytes,
        list(event.findings),
    )


async def end_verification(
    connection: Connection, message: VerifyBackup, status: Ending, failure: Failure | None = None
) -> None:
    """The verification could not be done: it says nothing about the backup."""
    await begin_verification(connection, message)
    await connection.execute(
        """
        UPDATE verifications SET status = $2, failure = $3, ended_at = now()
        WHERE verification_id = $1
        """,
        message.verification_id,
        status,
        failure.model_dump() if failure else None,
    )


async def lock_chain(connection: Connection, chain: str) -> None:
    """Nobody else appends to this chain of tombstones until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", chain)


async def end_deletion(
    connection: Connection,
    message: DeleteBackup,
    status: Literal["completed", "failed", "cancelled"],
    failure: Failure | None = None,
) -> None:
    """How the deletion of a backup ended, and why it was asked for."""
    await connection.execute(
        """
        INSERT INTO deletions (deletion_id, backup_id, snapshot_id, reason, status, failure)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (deletion_id)
            DO UPDATE SET status = excluded.status, failure = excluded.failure, ended_at = now()
        """,
        message.deletion_id,
        message.backup_id,
        message.snapshot_id,
        message.reason,
        status,
        failure.model_dump() if failure else None,
    )
