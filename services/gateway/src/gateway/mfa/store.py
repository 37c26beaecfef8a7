"""SQL about time-based codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection


@dataclass(frozen=True, slots=True)
class Totp:
    """The secret of a user's authenticator, sealed, and the last code that counted."""

    secret: str
    confirmed: bool
    last_step: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed secret, and the id of the key that it is under."""

    user_id: UUID
    secret: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Which second factors a user has."""

    totp: bool
    passkeys: int
    recovery_codes_left: int
    required: bool


async def standing(connection: Connection, user_id: str) -> Standing:
    """Which second factors a user has, and whether one is asked for."""
    row = await connection.fetchrow(
        """
        SELECT EXISTS (
            SELECT FROM totp WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS totp,
            (SELECT count(*) FROM passkeys WHERE user_id = $1) AS passkeys,
            (SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL)
                AS recovery_codes_left,
            EXISTS (SELECT FROM user_roles ur JOIN roles r ON r.name = ur.role
                WHERE ur.user_id = $1 AND r.mfa_required) AS required
        """,
        user_id,
    )
    return Standing(**dict(row or {}))


async def is_user(connection: Connection, user_id: str) -> bool:
    """Whether there is this user."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM users WHERE id = $1)", user_id)
    )


async def begin(connection: Connection, user_id: str, sealed: str, key_id: str) -> bool:
    """Keep a secret that is not confirmed yet; False if a confirmed one is there."""
    kept = await connection.fetchval(
        """
        INSERT INTO totp (user_id, secret, key_id) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE
        SET secret = $2, key_id = $3, last_step = 0, created_at = clock_timestamp()
        WHERE totp.confirmed_at IS NULL RETURNING user_id
        """,
        user_id,
        sealed,
        key_id,
    )
    return kept is not None


async def find(connection: Connection, user_id: str) -> Totp | None:
    """The user's authenticator."""
    row = await connection.fetchrow(
        """
        SELECT secret, confirmed_at IS NOT NULL AS confirmed, last_step, created_at
        FROM totp WHERE user_id = $1
        """,
        user_id,
    )
    return Totp(**dict(row)) if row else None


async def use_step(connection: Connection, user_id: str, found: Totp, step: int) -> bool:
    """Take a code, once: False if it, or a later one, was taken before.

    The secret may have been sealed anew meanwhile; another one may not have come.
    """
    taken = await connection.fetchval(
        """
        UPDATE totp SET last_step = $3, confirmed_at = coalesce(confirmed_at, now())
        WHERE user_id = $1 AND created_at = $2 AND last_step < $3 RETURNING user_id
        """,
        user_id,
        found.created_at,
        step,
    )
    return taken is not None


async def remove_totp(connection: Connection, user_id: str) -> bool:
    """Forget the user's authenticator, and say whether there was one."""
    removed = await connection.fetchval(
        "DELETE FROM totp WHERE user_id = $1 RETURNING user_id", user_id
    )
    return removed is not None


async def remove_everything(connection: Connection, user_id: str) -> None:
    """Forget every second factor of a user."""
    for table in ("totp", "passkeys", "recovery_codes"):
        await connection.execute(
            f"DELETE FROM {table} WHERE user_id = $1",  # noqa: S608 - one of these three names
            user_id,
        )


async def count_by_key(connection: Connection) -> dict[str, int]:
    """How many secrets are under each key; under an empty id those about which it is not known."""
    rows = await connection.fetch("SELECT key_id, count(*) FROM totp GROUP BY key_id")
    return {row["key_id"]: row["count"] for row in rows}


async def take_outdated(
    connection: Connection, newest: str, after: UUID, limit: int
) -> list[Sealed]:
    """Secrets under other keys than ``newest``, by user; nobody else takes them meanwhile."""
    rows = await connection.fetch(
        """
        SELECT user_id, secret, key_id FROM totp
        WHERE key_id <> $1 AND user_id > $2 ORDER BY user_id LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        newest,
        after,
        limit,
    )
    return [Sealed(**dict(row)) for row in rows]


async def replace(connection: Connection, secrets: Sequence[Sealed]) -> None:
    """Put secrets that were sealed anew in the place of the former ones."""
    await connection.executemany(
        "UPDATE totp SET secret = $2, key_id = $3 WHERE user_id = $1",
        [(each.user_id, each.secret, each.key_id) for each in secrets],
    )
