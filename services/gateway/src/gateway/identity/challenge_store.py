"""SQL about what was begun and waits for its answer from outside: taken once, and soon."""

from datetime import timedelta
from typing import Any

from common.crypto.tokens import digest, new_token
from common.db import Connection

LIFE = timedelta(minutes=5)


async def begin(
    connection: Connection,
    kind: str,
    data: dict[str, Any],
    *,
    user_id: str | None = None,
    session_id: str | None = None,
) -> str:
    """Keep ``data`` for a while, under the token that is returned and is stored nowhere."""
    token = new_token()
    await connection.execute(
        """
        INSERT INTO challenges (digest, kind, user_id, session_id, data, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
        """,
        digest(token),
        kind,
        user_id,
        session_id,
        data,
        LIFE,
    )
    return token


async def take(
    connection: Connection, kind: str, token: str, *, session_id: str | None = None
) -> dict[str, Any] | None:
    """What was kept under this token, once: nobody finds it again. None if it is not there.

    What was begun in a session is found in that session alone.
    """
    data: dict[str, Any] | None = await connection.fetchval(
        """
        DELETE FROM challenges WHERE digest = $1 AND kind = $2
        AND session_id IS NOT DISTINCT FROM $3::uuid AND expires_at > now() RETURNING data
        """,
        digest(token),
        kind,
        session_id,
    )
    return data


async def take_begun(
    connection: Connection, kind: str, token: str
) -> tuple[str | None, dict[str, Any] | None]:
    """Whose session began it, and what was kept, once; what a session began ends with it.

    Two times None if it is not there. For an answer that comes without the session's token: its
    bearer has to be known otherwise.
    """
    row = await connection.fetchrow(
        """
        DELETE FROM challenges WHERE digest = $1 AND kind = $2 AND session_id IS NOT NULL
        AND expires_at > now() RETURNING user_id::text, data
        """,
        digest(token),
        kind,
    )
    return (row["user_id"], row["data"]) if row else (None, None)
