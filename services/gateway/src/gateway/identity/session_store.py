"""SQL about sessions, and about who is asking."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.db import Connection
from gateway.identity.admitting import Standing, effective, limit_of
from gateway.identity.domain import Caller, Client
from gateway.limits.domain import Kind
from gateway.limits.store import count_of


@dataclass(frozen=True, slots=True)
class Times:
    """How long a session lives without a request and in all, and a factor counts as fresh."""

    idle: timedelta
    life: timedelta
    fresh: timedelta


@dataclass(frozen=True, slots=True)
class Shown:
    """A session as its user may see it."""

    id: str
    method: str
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    second_factor: bool


_GRANTED = """
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT p) FILTER (WHERE p IS NOT NULL), '{}') AS permissions,
           coalesce(bool_or(r.mfa_required), false) AS mfa_required,
           coalesce(max(r.request_factor), 1)::float8 AS factor
    FROM user_roles ur JOIN roles r ON r.name = ur.role
    LEFT JOIN LATERAL unnest(r.permissions) AS p ON true WHERE ur.user_id = u.id
) AS granted
"""
# The request is counted in the statement that finds out whose it is.
_COUNTED = "CROSS JOIN LATERAL count_request('user ' || u.id || ' ' || $5::text) AS counted"
_ENROLLED = """
(EXISTS (SELECT FROM totp t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL)
 OR EXISTS (SELECT FROM passkeys k WHERE k.user_id = u.id))
"""


async def add_session(
    connection: Connection,
    session_id: str,
    user_id: str,
    token_digest: bytes,
    client: Client,
    *,
    method: str = "password",
    second_factor: bool = False,
) -> None:
    """Begin a session, in which a factor was given just now."""
    await connection.execute(
        """
        INSERT INTO sessions
            (id, user_id, token_digest, address, user_agent, method, second_factor_at)
        VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN now() END)
        """,
        session_id,
        user_id,
        token_digest,
        client.address,
        client.user_agent,
        method,
        second_factor,
    )
    await connection.execute("UPDATE users SET last_login_at = now() WHERE id = $1", user_id)


async def end_oldest_sessions(
    connection: Connection, user_id: str, times: Times, keep: int
) -> None:
    """End what has idled out, and the oldest sessions beyond the number that a user may have.

    Those with a second factor and those without are counted apart: whoever has the password alone
    cannot push out the user who has both.
    """
    await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    await connection.execute(
        """
        DELETE FROM sessions WHERE user_id = $1 AND id NOT IN (
            SELECT id FROM (
                SELECT id, row_number() OVER (
                    PARTITION BY second_factor_at IS NULL ORDER BY created_at DESC, id DESC) AS rank
                FROM sessions WHERE user_id = $1 AND last_seen_at > now() - $2::interval
                AND created_at > now() - $3::interval) AS living
            WHERE rank <= $4)
        """,
        user_id,
        times.idle,
        times.life,
        keep,
    )


async def end_session(connection: Connection, session_id: str, user_id: str) -> bool:
    """End a session of this user; False if there is no such session."""
    ended = await connection.fetchval(
        "DELETE FROM sessions WHERE id = $1 AND user_id = $2 RETURNING id", session_id, user_id
    )
    return ended is not None


async def end_sessions(
    connection: Connection, user_id: str, *, but: str = "00000000-0000-0000-0000-000000000000"
) -> int:
    """End every session of this user but one, and say how many those were."""
    rows = await connection.fetch(
        "DELETE FROM sessions WHERE user_id = $1 AND id <> $2 RETURNING id", user_id, but
    )
    return len(rows)


async def list_sessions(connection: Connection, user_id: str, times: Times) -> Sequence[Shown]:
    """The living sessions of a user, newest first."""
    rows = await connection.fetch(
        """
        SELECT id::text, method, address, user_agent, created_at, last_seen_at,
               second_factor_at IS NOT NULL AS second_factor
        FROM sessions WHERE user_id = $1 AND last_seen_at > now() - $2::interval
        AND created_at > now() - $3::interval ORDER BY created_at DESC, id DESC
        """,
        user_id,
        times.idle,
        times.life,
    )
    return [Shown(**dict(row)) for row in rows]


async def prove(
    connection: Connection, session_id: str, token_digest: bytes | None, *, second_factor: bool
) -> bool:
    """Record that a factor was given in a session; with a new token the former is worth nothing."""
    changed = await connection.fetchval(
        """
        UPDATE sessions SET proven_at = now(), token_digest = coalesce($3, token_digest),
            second_factor_at = CASE WHEN $2 THEN now() ELSE second_factor_at END
        WHERE id = $1 RETURNING id
        """,
        session_id,
        second_factor,
        token_digest,
    )
    return changed is not None


async def find_caller(
    connection: Connection,
    token_digest: bytes,
    times: Times,
    client: Client,
    kind: Kind = Kind.NORMAL,
) -> Caller | None:
    """Who is in the live session with this token. Asking keeps a session alive, and counts.

    One round trip; the time of last use is written only when a twentieth of the timeout is over.
    """
    row = await connection.fetchrow(
        f"""
        WITH touched AS (
            UPDATE sessions SET last_seen_at = now() WHERE token_digest = $1
            AND last_seen_at BETWEEN now() - $2::interval AND now() - $2::interval / 20)
        SELECT s.id::text AS session_id, u.id::text AS user_id, u.name, granted.permissions,
            granted.mfa_required, s.method, u.must_change_password,
            s.second_factor_at IS NOT NULL AS second_factor, {_ENROLLED} AS enrolled,
            s.proven_at > now() - $4::interval AS fresh, granted.factor, counted.*
        FROM sessions s JOIN users u ON u.id = s.user_id {_GRANTED} {_COUNTED}
        WHERE s.token_digest = $1 AND s.last_seen_at > now() - $2::interval
        AND s.created_at > now() - $3::interval AND u.disabled_at IS NULL
        """,  # noqa: S608 - constants of this module alone
        token_digest,
        times.idle,
        times.life,
        times.fresh,
        kind.value,
    )
    if row is None:
        return None
    standing = Standing(**{name: row[name] for name in Standing.__slots__})
    return Caller(
        user_id=row["user_id"],
        name=row["name"],
        permissions=frozenset(row["permissions"]),
        session_id=row["session_id"],
        client=client,
        limit=limit_of(standing),
        fresh=row["fresh"],
        asked=count_of(row),
        factor=row["factor"],
    )


async def find_key_caller(
    connection: Connection, key_digest: bytes, client: Client, kind: Kind = Kind.NORMAL
) -> Caller | None:
    """Whose living API key this is. The time of its last use is written once a minute."""
    counted = _COUNTED.replace("$5", "$3")
    row = await connection.fetchrow(
        f"""
        WITH touched AS (
            UPDATE api_keys SET last_used_at = now(), last_used_address = $2
            WHERE secret_digest = $1 AND (expires_at IS NULL OR expires_at > now())
            AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute'))
        SELECT k.id::text AS key_id, k.scopes, k.station, k.sensitive,
            u.id::text AS user_id, u.name, granted.permissions, granted.factor, counted.*
        FROM api_keys k JOIN users u ON u.id = k.user_id {_GRANTED} {counted}
        WHERE k.secret_digest = $1 AND (k.expires_at IS NULL OR k.expires_at > now())
        AND u.disabled_at IS NULL
        """,  # noqa: S608 - constants of this module alone
        key_digest,
        client.address,
        kind.value,
    )
    if row is None:
        return None
    return Caller(
        user_id=row["user_id"],
        name=row["name"],
        permissions=effective(row["scopes"], row["permissions"]),
        session_id="",
        client=client,
        fresh=row["sensitive"],
        key_id=row["key_id"],
        station=row["station"],
        asked=count_of(row),
        factor=row["factor"],
    )


async def still_lives(connection: Connection, caller: Caller, times: Times) -> bool:
    """Whether the caller's session or key has not ended; asking keeps no session alive."""
    if caller.key_id:
        statement = """
            SELECT EXISTS (SELECT FROM api_keys k JOIN users u ON u.id = k.user_id
            WHERE k.id = $1 AND (expires_at IS NULL OR expires_at > now())
            AND disabled_at IS NULL)"""
        return bool(await connection.fetchval(statement, caller.key_id))
    found = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM sessions WHERE id = $1
            AND last_seen_at > now() - $2::interval AND created_at > now() - $3::interval)
        """,
        caller.session_id,
        times.idle,
        times.life,
    )
    return bool(found)


async def note_uses(connection: Connection, uses: Collection[tuple[str, str, datetime]]) -> None:
    """Write down who used which permission when; users that are gone are left out."""
    await connection.executemany(
        """
        INSERT INTO permission_uses (user_id, permission, used_at)
        SELECT id, $2, $3 FROM users WHERE id = $1
        ON CONFLICT (user_id, permission)
        DO UPDATE SET used_at = greatest(permission_uses.used_at, excluded.used_at)
        """,
        uses,
    )


async def purge_sessions(connection: Connection, times: Times) -> None:
    """Remove sessions that have idled or lived out, and what was begun and never answered."""
    await connection.execute(
        """
        DELETE FROM sessions WHERE last_seen_at <= now() - $1::interval
        OR created_at <= now() - $2::interval
        """,
        times.idle,
        times.life,
    )
    await connection.execute("DELETE FROM challenges WHERE expires_at <= now()")
