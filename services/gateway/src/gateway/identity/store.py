"""All SQL about users, sessions, failed logins and rate limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.db import Connection
from gateway.identity.domain import Caller, Client, Window


@dataclass(frozen=True, slots=True)
class User:
    """A user as a login needs it."""

    id: str
    name: str
    password_hash: str


async def any_user(connection: Connection) -> bool:
    """Whether there is a user. Replicas that ask at the same time wait for each other's commit."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('gateway.first-administrator', 0))"
    )
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM users)"))


async def add_user(connection: Connection, user: User, key: str, roles: Sequence[str]) -> None:
    """Create a user with these roles; ``key`` is the name as it is compared."""
    await connection.execute(
        "INSERT INTO users (id, name, name_key, password_hash) VALUES ($1, $2, $3, $4)",
        user.id,
        user.name,
        key,
        user.password_hash,
    )
    await connection.execute(
        "INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[])", user.id, roles
    )


async def find_user(connection: Connection, key: str) -> User | None:
    """The user whose name is compared as ``key``."""
    row = await connection.fetchrow(
        "SELECT id::text, name, password_hash FROM users WHERE name_key = $1", key
    )
    return User(**dict(row)) if row else None


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


async def add_session(
    connection: Connection, session_id: str, user_id: str, token_digest: bytes, client: Client
) -> None:
    """Begin a session."""
    await connection.execute(
        """
        INSERT INTO sessions (id, user_id, token_digest, address, user_agent)
        VALUES ($1, $2, $3, $4, $5)
        """,
        session_id,
        user_id,
        token_digest,
        client.address,
        client.user_agent,
    )


async def end_oldest_sessions(
    connection: Connection, user_id: str, idle: timedelta, keep: int
) -> None:
    """End what has idled out, and the oldest sessions beyond the number that a user may have."""
    await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    await connection.execute(
        """
        DELETE FROM sessions WHERE user_id = $1 AND id NOT IN (
            SELECT id FROM sessions WHERE user_id = $1 AND last_seen_at > now() - $2::interval
            ORDER BY created_at DESC, id DESC LIMIT $3)
        """,
        user_id,
        idle,
        keep,
    )


async def end_session(connection: Connection, session_id: str) -> None:
    """End a session."""
    await connection.execute("DELETE FROM sessions WHERE id = $1", session_id)


async def find_caller(
    connection: Connection, token_digest: bytes, idle: timedelta, client: Client
) -> Caller | None:
    """Who is in the live session with this token. Being asked for keeps a session alive.

    One round trip; the time of last use is written only when a twentieth of the timeout is over.
    """
    row = await connection.fetchrow(
        """
        WITH touched AS (
            UPDATE sessions SET last_seen_at = now() WHERE token_digest = $1
            AND last_seen_at BETWEEN now() - $2::interval AND now() - $2::interval / 20)
        SELECT s.id::text AS session_id, u.id::text AS user_id, u.name, ARRAY(
            SELECT DISTINCT unnest(r.permissions)
            FROM user_roles ur JOIN roles r ON r.name = ur.role WHERE ur.user_id = u.id
        ) AS permissions
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.token_digest = $1 AND s.last_seen_at > now() - $2::interval
        """,
        token_digest,
        idle,
    )
    if row is None:
        return None
    return Caller(
        user_id=row["user_id"],
        name=row["name"],
        permissions=frozenset(row["permissions"]),
        session_id=row["session_id"],
        client=client,
    )


async def session_lives(connection: Connection, session_id: str, idle: timedelta) -> bool:
    """Whether the session has neither ended nor idled out; asking does not keep it alive."""
    found = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM sessions WHERE id = $1 AND last_seen_at > now() - $2::interval)
        """,
        session_id,
        idle,
    )
    return bool(found)


async def purge(connection: Connection, idle: timedelta, lockout: timedelta) -> None:
    """Remove what no longer counts: idle sessions, old failures, past windows."""
    await connection.execute(
        "DELETE FROM sessions WHERE last_seen_at <= now() - $1::interval", idle
    )
    await connection.execute(
        "DELETE FROM login_failures WHERE failed_at <= now() - $1::interval", lockout
    )
    await connection.execute(
        "DELETE FROM rate_windows WHERE starts_at < now() - interval '2 hours'"
    )
