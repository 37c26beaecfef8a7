"""Why destinations are brought up to date, and what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.db import Connection
from common.messages import Failure
from storage_uploader.domain import Amount


@dataclass(frozen=True, slots=True)
class Upload:
    """One reason to bring one destination up to date."""

    upload_id: str
    destination_id: int
    destination: str
    station: str
    purpose: str
    backup_id: str
    snapshot_id: str
    status: str
    round: int
    prepared: bool
    mirror_deletions: bool


async def find(connection: Connection, *upload_ids: str) -> list[Upload]:
    """The uploads with these ids."""
    rows = await connection.fetch(
        """
        SELECT upload_id, destination_id, name AS destination, station, purpose, backup_id,
            snapshot_id, status, round, prepared, mirror_deletions
        FROM uploads JOIN destinations USING (destination_id)
        WHERE upload_id = ANY($1::text[])
        """,
        list(upload_ids),
    )
    return [Upload(**dict(row)) for row in rows]


async def request_for_backup(
    connection: Connection, station: str, backup_id: str, snapshot_id: str
) -> list[Upload]:
    """A new upload of the backup to each active destination of its station."""
    rows = await connection.fetch(
        """
        INSERT INTO uploads (upload_id, destination_id, purpose, backup_id, snapshot_id)
        SELECT gen_random_uuid(), destination_id, 'backup', $2, $3
        FROM destinations WHERE station = $1 AND active
        ON CONFLICT DO NOTHING RETURNING upload_id
        """,
        station,
        backup_id,
        snapshot_id,
    )
    return await find(connection, *(row["upload_id"] for row in rows))


async def request_for_deletion(
    connection: Connection, backup_id: str, snapshot_id: str
) -> list[Upload]:
    """A new round of deletion at each destination that mirrors them and has the snapshot."""
    rows = await connection.fetch(
        """
        INSERT INTO uploads (upload_id, destination_id, purpose, backup_id, snapshot_id)
        SELECT gen_random_uuid(), destination_id, 'deletion', $1, $2
        FROM destinations JOIN objects USING (destination_id)
        WHERE active AND mirror_deletions AND objects.name = 'snapshots/' || $2
        ON CONFLICT DO NOTHING RETURNING upload_id
        """,
        backup_id,
        snapshot_id,
    )
    return await find(connection, *(row["upload_id"] for row in rows))


async def request_reconciles(connection: Connection, station: str) -> list[Upload]:
    """A new comparison of each destination whose time has come and that has none open.

    One that ends at this moment holds its destination: it is not begun once more. A last time that
    is more than a day ahead is that of a wrong clock: nobody knows when it was.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT destination_id FROM destinations
            WHERE station = $1 AND active
              AND (reconcile_at <= now() OR reconciled_at > now() + interval '1 day')
            FOR UPDATE SKIP LOCKED
        )
        INSERT INTO uploads (upload_id, destination_id, purpose)
        SELECT gen_random_uuid(), destination_id, 'reconcile' FROM due
        ON CONFLICT DO NOTHING RETURNING upload_id
        """,
        station,
    )
    return await find(connection, *(row["upload_id"] for row in rows))


async def begin_due_rounds(connection: Connection, station: str) -> list[Upload]:
    """The failed uploads whose pause is over, each in its next round.

    A pause that began more than a day ahead began by a wrong clock, and is over.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT upload_id FROM uploads JOIN destinations USING (destination_id)
            WHERE station = $1 AND active AND status = 'failed'
              AND (retry_at <= now() OR uploads.updated_at > now() + interval '1 day')
            ORDER BY retry_at LIMIT 100 FOR UPDATE OF uploads SKIP LOCKED
        )
        UPDATE uploads SET status = 'waiting', round = round + 1, retry_at = NULL,
            updated_at = now()
        FROM due WHERE uploads.upload_id = due.upload_id
        RETURNING uploads.upload_id
        """,
        station,
    )
    return await find(connection, *(row["upload_id"] for row in rows))


async def fail(
    connection: Connection, upload_id: str, failure: Failure, pause: timedelta
) -> datetime | None:
    """The round has failed; when the next one begins, unless the upload has ended meanwhile."""
    retry_at: datetime | None = await connection.fetchval(
        """
        UPDATE uploads SET status = 'failed', failure = $2, retry_at = now() + $3,
            updated_at = now()
        WHERE upload_id = $1 AND status = 'waiting' RETURNING retry_at
        """,
        upload_id,
        failure.model_dump(),
        pause,
    )
    return retry_at


async def complete(connection: Connection, upload: Upload, brought: Amount) -> list[Upload]:
    """End this upload, and those of other backups whose snapshot is proven there as well."""
    rows = await connection.fetch(
        """
        UPDATE uploads SET status = 'completed', failure = NULL, retry_at = NULL,
            objects = $3, size_bytes = $4, updated_at = now(), ended_at = now()
        WHERE destination_id = $1 AND status IN ('waiting', 'failed')
          AND (upload_id = $2 OR (purpose = 'backup' AND EXISTS (
            SELECT FROM objects WHERE objects.destination_id = $1
            AND objects.name = 'snapshots/' || snapshot_id AND proven_at IS NOT NULL)))
        RETURNING upload_id
        """,
        upload.destination_id,
        upload.upload_id,
        brought.objects,
        brought.size_bytes,
    )
    return await find(connection, *(row["upload_id"] for row in rows))


async def cancel(connection: Connection, backup_id: str) -> None:
    """The backup is deleted: nobody waits for its upload any more."""
    await connection.execute(
        """
        UPDATE uploads SET status = 'cancelled', retry_at = NULL, updated_at = now(),
            ended_at = now()
        WHERE backup_id = $1 AND purpose = 'backup' AND status IN ('waiting', 'failed')
        """,
        backup_id,
    )


async def purge(connection: Connection, days: int) -> None:
    """Forget comparisons that ended long ago; what was said of backups stays."""
    await connection.execute(
        """
        DELETE FROM uploads
        WHERE purpose = 'reconcile' AND ended_at < now() - make_interval(days => $1)
        """,
        days,
    )
