"""SQL about former passwords."""

from common.db import Connection


async def former(connection: Connection, user_id: str, limit: int) -> list[str]:
    """What was stored for the user's newest passwords, the present one first."""
    rows = await connection.fetch(
        """
        SELECT password_hash FROM (
            SELECT password_hash, 'infinity'::timestamptz AS set_at FROM users
            WHERE id = $1 AND password_hash IS NOT NULL
            UNION ALL SELECT password_hash, set_at FROM password_history WHERE user_id = $1
        ) AS passwords GROUP BY password_hash ORDER BY max(set_at) DESC LIMIT $2
        """,
        user_id,
        limit,
    )
    return [row["password_hash"] for row in rows]


async def remember(connection: Connection, user_id: str, stored: str, keep: int) -> None:
    """Remember a password that was set; those beyond ``keep`` go."""
    await connection.execute(
        "INSERT INTO password_history (user_id, password_hash) VALUES ($1, $2)", user_id, stored
    )
    await connection.execute(
        """
        DELETE FROM password_history WHERE user_id = $1 AND (set_at, password_hash) NOT IN (
            SELECT set_at, password_hash FROM password_history WHERE user_id = $1
            ORDER BY set_at DESC LIMIT $2)
        """,
        user_id,
        keep,
    )
