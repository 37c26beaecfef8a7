"""What is proven to be at a destination, and who is sending what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.db import Connection
from storage_uploader.domain import Item


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one object; ``bookmark`` is where an interrupted upload goes on."""

    bookmark: str | None


async def missing(connection: Connection, destination_id: int, items: Sequence[Item]) -> list[Item]:
    """Those that are not proven to be there with these very bytes; ``UNKNOWN`` means any."""
    rows = await connection.fetch(
        """
        SELECT wanted.place FROM unnest($2::text[], $3::bytea[])
            WITH ORDINALITY AS wanted (name, digest, place)
        WHERE NOT EXISTS (
            SELECT FROM objects WHERE destination_id = $1 AND objects.name = wanted.name
            AND wanted.digest IN (objects.digest, '') AND proven_at IS NOT NULL)
        """,
        destination_id,
        [item.name for item in items],
        [item.digest for item in items],
    )
    return [items[row["place"] - 1] for row in rows]


async def claim(
    connection: Connection, destination_id: int, item: Item, job_id: str, fence: int
) -> Claim | None:
    """Reserve the sending of ``item`` for a job.

    None when it is proven meanwhile, or another job that still has its lease is sending it.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO objects (destination_id, name, size, digest, claimed_by, claim_fence)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (destination_id, name) DO UPDATE SET
            size = EXCLUDED.size, digest = EXCLUDED.digest, proven_at = NULL,
            claimed_by = EXCLUDED.claimed_by, claim_fence = EXCLUDED.claim_fence,
            bookmark = CASE WHEN objects.digest = EXCLUDED.digest THEN objects.bookmark END,
            updated_at = now()
        WHERE (objects.proven_at IS NULL OR objects.digest <> EXCLUDED.digest)
          AND NOT EXISTS (
            SELECT FROM jobs WHERE id = objects.claimed_by AND id <> EXCLUDED.claimed_by
            AND fence = objects.claim_fence AND state = 'running'
            AND lease_expires_at > clock_timestamp())
        RETURNING bookmark
        """,
        destination_id,
        item.name,
        item.size,
        item.digest,
        job_id,
        fence,
    )
    return Claim(row["bookmark"]) if row else None


async def save_bookmark(
    connection: Connection, destination_id: int, name: str, token: str | None
) -> None:
    """Remember where the upload of an object goes on after a restart."""
    await connection.execute(
        """
        UPDATE objects SET bookmark = $3, updated_at = now()
        WHERE destination_id = $1 AND name = $2
        """,
        destination_id,
        name,
        token,
    )


async def prove(connection: Connection, destination_id: int, item: Item) -> None:
    """The destination gave back exactly these bytes."""
    await connection.execute(
        """
        UPDATE objects SET proven_at = clock_timestamp(), seen_at = clock_timestamp(),
            bookmark = NULL, updated_at = now()
        WHERE destination_id = $1 AND name = $2 AND digest = $3
        """,
        destination_id,
        item.name,
        item.digest,
    )


async def is_there(connection: Connection, destination_id: int, name: str) -> bool:
    """Whether the object was proven to be there."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM objects
            WHERE destination_id = $1 AND name = $2 AND proven_at IS NOT NULL)
        """,
        destination_id,
        name,
    )
    return found


async def forget(connection: Connection, destination_id: int, name: str) -> None:
    """The object was removed from the destination on purpose."""
    await connection.execute(
        "DELETE FROM objects WHERE destination_id = $1 AND name = $2", destination_id, name
    )


async def now(connection: Connection) -> datetime:
    """The database's time."""
    time: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return time


async def mark_seen(
    connection: Connection, destination_id: int, names: Sequence[str], sizes: Sequence[int]
) -> None:
    """A listing of the destination has these objects, as large as this."""
    await connection.execute(
        """
        UPDATE objects SET seen_at = clock_timestamp()
        FROM unnest($2::text[], $3::bigint[]) AS listed (name, size)
        WHERE destination_id = $1 AND objects.name = listed.name AND objects.size = listed.size
        """,
        destination_id,
        list(names),
        list(sizes),
    )


async def unprove_unseen(connection: Connection, destination_id: int, since: datetime) -> list[str]:
    """Those that were proven before ``since`` and that the listing since then has not: lost."""
    rows = await connection.fetch(
        """
        UPDATE objects SET proven_at = NULL, updated_at = now()
        WHERE destination_id = $1 AND proven_at < $2 AND (seen_at IS NULL OR seen_at < $2)
        RETURNING name
        """,
        destination_id,
        since,
    )
    return [row["name"] for row in rows]
