"""SQL about users, failed logins and rate limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.db import Connection
from gateway.identity.domain import Window


@dataclass(frozen=True, slots=True)
class User:
    """A user as a login needs it."""

    id: str
    name: str
    password_hash: str | None
    disabled: bool = False


async def any_user(connection: Connection) -> bool:
    """Whether there is a user. Replicas that ask at the same time wait for each other's commit."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('gateway.first-administrator', 0))"
    )
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM users)"))


async def add_user(
    connection: Connection,
    user: User,
    key: str,
    roles: Sequence[str],
    *,
    must_change_password: bool = False,
) -> None:
    """Create a user with these roles; ``key`` is the name as it is compared."""
    await connection.execute(
        """
        INSERT INTO users (id, name, name_key, password_hash, must_change_password)
        VALUES ($1, $2, $3, $4, $5)
        """,
        user.id,
        user.name,
        key,
        user.password_hash,
        must_change_password,
    )
    await connection.execute(
        "INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[])", user.id, roles
    )


async def find_user(connection: Connection, key: str) -> User | None:
    """The user whose name is compared as ``key``."""
    row = await connection.fetchrow(
        """
        SELECT id::text, name, password_hash, disabled_at IS NOT NULL AS disabled
        FROM users WHERE name_key = $1
        """,
        key,
    )
    return User(**dict(row)) if row else None


async def password_of(connection: Connection, user_id: str) -> str | None:
    """What is stored of a user's password; None if there is no such user or password."""
    found: str | None = await connection.fetchval(
        "SELECT password_hash FROM users WHERE id = $1", user_id
    )
    return found


async def replace_hash(connection: Connection, user_id: str, old: str, new: str) -> None:
    """Store a new hash, unless the password has been changed meanwhile."""
    await connection.execute(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        user_id,
        old,
        new,
    )


async def recent_failures(
    connection: Connection, account: bytes, within: timedelta, limit: int
) -> tuple[list[datetime], datetime]:
    """The times of the account's newest failures, newest first, and the time now.

    Logins to one account that ask at the same time do so one after another.
    """
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(
            hashtextextended('gateway.login ' || encode($1::bytea, 'hex'), 0))
        """,
        account,
    )
    rows = await connection.fetch(
        """
        SELECT failed_at FROM login_failures
        WHERE account = $1 AND failed_at > clock_timestamp() - $2::interval
        ORDER BY failed_at DESC LIMIT $3
        """,
        account,
        within,
        limit,
    )
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return [row["failed_at"] for row in rows], now


async def add_failure(connection: Connection, account: bytes, address: str) -> None:
    """Count a login as failed; ``forgive`` takes it back when it succeeds."""
    await connection.execute(
        """
        INSERT INTO login_failures (account, address, failed_at)
        VALUES ($1, $2, clock_timestamp())
        """,
        account,
        address,
    )


async def forgive(connection: Connection, account: bytes) -> None:
    """Forget the failures of an account."""
    await connection.execute("DELETE FROM login_failures WHERE account = $1", account)


async def count_hit(connection: Connection, bucket: str, seconds: Sequence[int]) -> list[Window]:
    """Count one more in the current window of each length, and say how it stands."""
    rows = await connection.fetch(
        """
        INSERT INTO rate_windows AS w (bucket, seconds, starts_at, hits)
        SELECT $1, length, to_timestamp(floor(extract(epoch FROM now()) / length) * length), 1
        FROM unnest($2::int[]) AS length
        ON CONFLICT (bucket, seconds, starts_at) DO UPDATE SET hits = w.hits + 1
        RETURNING seconds, hits, extract(epoch FROM
            w.starts_at + make_interval(secs => w.seconds) - now())::float8 AS remaining
        """,
        bucket,
        seconds,
    )
    return [Window(**dict(row)) for row in rows]


async def purge(connection: Connection, lockout: timedelta) -> None:
    """Remove what no longer counts: old failures, past windows."""
    await connection.execute(
        "DELETE FROM login_failures WHERE failed_at <= now() - $1::interval", lockout
    )
    await connection.execute(
        "DELETE FROM rate_windows WHERE starts_at < now() - interval '2 hours'"
    )
