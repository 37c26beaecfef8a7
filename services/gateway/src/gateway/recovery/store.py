"""SQL about recovery codes, of which only digests are kept."""

from collections.abc import Sequence

from common.db import Connection


async def any_left(connection: Connection, user_id: str) -> bool:
    """Whether the user has a code that was not used. Nobody changes them meanwhile."""
    await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL)",
        user_id,
    )
    return bool(found)


async def use(connection: Connection, user_id: str, digests: Sequence[bytes]) -> bool:
    """Take a recovery code that is kept as one of these, once."""
    taken = await connection.fetchval(
        """
        UPDATE recovery_codes SET used_at = now()
        WHERE user_id = $1 AND code_digest = ANY($2::bytea[])
        AND used_at IS NULL RETURNING user_id
        """,
        user_id,
        digests,
    )
    return taken is not None


async def replace(connection: Connection, user_id: str, digests: Sequence[bytes]) -> None:
    """Keep these recovery codes and no others."""
    await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    await connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
    await connection.execute(
        "INSERT INTO recovery_codes (user_id, code_digest) SELECT $1, unnest($2::bytea[])",
        user_id,
        digests,
    )


async def remove_with_last_factor(connection: Connection, user_id: str) -> None:
    """Forget the codes of a user who has neither an authenticator nor a passkey any more."""
    await connection.execute(
        """
        DELETE FROM recovery_codes WHERE user_id = $1
        AND NOT EXISTS (SELECT FROM passkeys WHERE user_id = $1)
        AND NOT EXISTS (SELECT FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL)
        """,
        user_id,
    )
