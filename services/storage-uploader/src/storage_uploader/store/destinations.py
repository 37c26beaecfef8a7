"""The destinations of a station, as configured and as they were found."""

from collections.abc import Sequence

from common.db import Connection


async def register(
    connection: Connection, station: str, name: str, place: str, *, mirror_deletions: bool
) -> None:
    """Record a configured destination; at a new place nothing counts as being there."""
    former: str | None = await connection.fetchval(
        "SELECT place FROM destinations WHERE station = $1 AND name = $2 FOR UPDATE", station, name
    )
    await connection.execute(
        """
        INSERT INTO destinations (station, name, place, mirror_deletions) VALUES ($1, $2, $3, $4)
        ON CONFLICT (station, name) DO UPDATE SET
            mirror_deletions = EXCLUDED.mirror_deletions, active = true, updated_at = now(),
            reconcile_at = CASE WHEN destinations.reconciled_at < now() - interval '10 minutes'
                           THEN now() ELSE destinations.reconcile_at END
        """,
        station,
        name,
        place,
        mirror_deletions,
    )
    if former is not None and former != place:
        await _move(connection, station, name, place)


async def _move(connection: Connection, station: str, name: str, place: str) -> None:
    destination_id: int = await connection.fetchval(
        """
        UPDATE destinations SET place = $3, prepared = false, reconcile_at = now()
        WHERE station = $1 AND name = $2 RETURNING destination_id
        """,
        station,
        name,
        place,
    )
    await connection.execute("DELETE FROM objects WHERE destination_id = $1", destination_id)


async def retire_others(connection: Connection, station: str, names: Sequence[str]) -> None:
    """Ask nothing more of the station's destinations that are not among ``names``."""
    await connection.execute(
        """
        UPDATE destinations SET active = false, updated_at = now()
        WHERE station = $1 AND active AND name <> ALL($2::text[])
        """,
        station,
        list(names),
    )


async def mark_prepared(connection: Connection, destination_id: int) -> None:
    """The destination has been made ready: it is not created again."""
    await connection.execute(
        "UPDATE destinations SET prepared = true, updated_at = now() WHERE destination_id = $1",
        destination_id,
    )


async def mark_reconciled(connection: Connection, destination_id: int, seconds: float) -> None:
    """The destination has been compared; the next time is in ``seconds``."""
    await connection.execute(
        """
        UPDATE destinations SET reconciled_at = now(), updated_at = now(),
            reconcile_at = now() + make_interval(secs => $2)
        WHERE destination_id = $1
        """,
        destination_id,
        seconds,
    )


async def troubles(connection: Connection, station: str) -> dict[str, str]:
    """What stands in the way at each destination whose last round failed."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (name) name, failure ->> 'message' AS message
        FROM uploads JOIN destinations USING (destination_id)
        WHERE station = $1 AND active AND status = 'failed'
        ORDER BY name, uploads.updated_at DESC
        """,
        station,
    )
    return {row["name"]: row["message"] for row in rows}
