"""SQL about counted requests, failed logins and known devices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from common.db import Connection
from gateway.limits.domain import Count

LONGEST_TRY = timedelta(seconds=30)
"""What is pending for longer was given up: its process died, or the database was away."""


def count_of(row: asyncpg.Record) -> Count:
    """What ``count_request`` said, from a row that it was joined to."""
    return Count(row["minute_hits"], row["minute_left"], row["hour_hits"], row["hour_left"])


async def count(connection: Connection, bucket: str) -> Count:
    """Count one more request in this bucket, and say how it stands."""
    row = await connection.fetchrow("SELECT * FROM count_request($1)", bucket)
    if row is None:
        raise LookupError(bucket)
    return count_of(row)


async def take_turn(connection: Connection, account: bytes) -> None:
    """Let logins to one account that come at the same time go on one after another."""
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(
            hashtextextended('gateway.login ' || encode($1::bytea, 'hex'), 0))
        """,
        account,
    )


@dataclass(frozen=True, slots=True)
class Failures:
    """The newest failures, whether one of them is still being tried, and the time now."""

    at: list[datetime]
    pending: bool
    now: datetime


async def recent_failures(
    connection: Connection, account: bytes, device: bytes | None, within: timedelta, limit: int
) -> Failures:
    """The newest failures of a known device, or of strangers (None)."""
    rows = await connection.fetch(
        """
        SELECT failed_at, pending FROM login_failures
        WHERE account = $1 AND device IS NOT DISTINCT FROM $2
        AND failed_at > clock_timestamp() - $3::interval
        ORDER BY failed_at DESC LIMIT $4
        """,
        account,
        device,
        within,
        limit,
    )
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    pending = any(row["pending"] and now - row["failed_at"] < LONGEST_TRY for row in rows)
    return Failures([row["failed_at"] for row in rows], pending, now)


async def failures_from(
    connection: Connection, address: str, within: timedelta, limit: int
) -> list[datetime]:
    """The newest failures of strangers at this address, on whatever account."""
    rows = await connection.fetch(
        """
        SELECT failed_at FROM login_failures WHERE address = $1 AND device IS NULL
        AND failed_at > clock_timestamp() - $2::interval ORDER BY failed_at DESC LIMIT $3
        """,
        address,
        within,
        limit,
    )
    return [row["failed_at"] for row in rows]


async def add_failure(
    connection: Connection, account: bytes, address: str, device: bytes | None
) -> int:
    """Count a login that is going to be tried as failed, and say under which number.

    ``settle`` says later that it has failed; ``forgive`` takes it back when it succeeds.
    """
    number: int = await connection.fetchval(
        """
        INSERT INTO login_failures (account, address, device, failed_at, pending)
        VALUES ($1, $2, $3, clock_timestamp(), true) RETURNING id
        """,
        account,
        address,
        device,
    )
    return number


async def settle(connection: Connection, number: int) -> None:
    """Record that a login that was counted as failed has failed."""
    await connection.execute("UPDATE login_failures SET pending = false WHERE id = $1", number)


async def forgive(
    connection: Connection, account: bytes, address: str, device: bytes | None
) -> None:
    """Forget the failures of whoever has just logged in.

    A stranger's success clears what strangers did from that address, and from a known device what
    that device did: a guesser elsewhere gets no new tries from it.
    """
    await connection.execute(
        """
        DELETE FROM login_failures WHERE account = $1
        AND (device = $3 OR (device IS NULL AND address = $2))
        """,
        account,
        address,
        device,
    )


async def know_device(connection: Connection, account: bytes, digest: bytes, keep: int) -> None:
    """Remember a device from which this account was opened; the oldest beyond ``keep`` go."""
    await connection.execute(
        """
        INSERT INTO known_devices (digest, account) VALUES ($1, $2)
        ON CONFLICT (digest) DO UPDATE SET last_seen_at = now()
        """,
        digest,
        account,
    )
    await connection.execute(
        """
        DELETE FROM known_devices WHERE account = $1 AND digest NOT IN (
            SELECT digest FROM known_devices WHERE account = $1
            ORDER BY last_seen_at DESC, digest LIMIT $2)
        """,
        account,
        keep,
    )


async def knows_device(
    connection: Connection, account: bytes, digest: bytes, within: timedelta
) -> bool:
    """Whether this account was opened from this device not too long ago."""
    found = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM known_devices WHERE digest = $1 AND account = $2
            AND last_seen_at > now() - $3::interval)
        """,
        digest,
        account,
        within,
    )
    return bool(found)


async def forget_devices(connection: Connection, user_id: str) -> None:
    """Make every device a stranger to the account of this user, after a change of password."""
    await connection.execute(
        """
        DELETE FROM known_devices WHERE account = (
            SELECT sha256(convert_to(name_key, 'UTF8')) FROM users WHERE id = $1)
        """,
        user_id,
    )


async def locked_accounts(connection: Connection, limit: int, within: timedelta) -> int:
    """How many accounts are locked for strangers now."""
    found = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM login_failures WHERE device IS NULL AND failed_at > now() - $2::interval
            GROUP BY account HAVING count(*) >= $1) AS locked
        """,
        limit,
        within,
    )
    return int(found)


async def add_counts(connection: Connection, counts: Mapping[str, int]) -> None:
    """Add to what was seen today."""
    await connection.execute(
        """
        INSERT INTO security_counts AS c (day, name, count)
        SELECT (now() AT TIME ZONE 'UTC')::date, name, added
        FROM unnest($1::text[], $2::bigint[]) AS seen (name, added) ORDER BY name
        ON CONFLICT (day, name) DO UPDATE SET count = c.count + excluded.count
        """,
        list(counts),
        list(counts.values()),
    )


async def counts_today(connection: Connection) -> dict[str, int]:
    """What was seen today, by all replicas, by name."""
    rows = await connection.fetch(
        "SELECT name, count FROM security_counts WHERE day = (now() AT TIME ZONE 'UTC')::date"
    )
    return {row["name"]: row["count"] for row in rows}


async def purge(connection: Connection, lockout: timedelta, device_life: timedelta) -> None:
    """Remove what no longer counts: old failures, past windows, forgotten devices."""
    await connection.execute(
        "DELETE FROM login_failures WHERE failed_at <= now() - $1::interval", lockout
    )
    await connection.execute(
        "DELETE FROM known_devices WHERE last_seen_at <= now() - $1::interval", device_life
    )
    await connection.execute(
        "DELETE FROM request_counts WHERE hour < floor(extract(epoch FROM now()) / 3600) - 1"
    )
    await connection.execute("DELETE FROM security_counts WHERE day < now() - interval '90 days'")
