"""SQL about sessions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.db import Connection
from gateway.identity.domain import Client, Times


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


async def lock_user(connection: Connection, user_id: str) -> None:
    """Let what changes the sessions of a user happen one after another.

    It comes before anything that locks a session: two logins would wait for each other for ever.
    """
    await connection.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id)


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

    The user is locked by the caller. Those with a second factor and those without are counted
    apart: whoever has the password alone cannot push out the user who has both.
    """
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
