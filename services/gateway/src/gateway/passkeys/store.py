"""SQL about passkeys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from common.db import Connection
from common.errors import Conflict, Forbidden, NotFound

MOST = 20


class PasskeyExists(Conflict):
    """This passkey is known already."""

    code = "passkey_exists"


class TooManyPasskeys(Conflict):
    """There are as many passkeys as a user may have: remove one first."""

    code = "too_many_passkeys"


class OnlyByProvider(Forbidden):
    """This user logs in at the organisation's provider; a passkey is the second factor there."""

    code = "only_by_provider"


@dataclass(frozen=True, slots=True)
class Passkey:
    """The public half of a passkey, and how often its device says it was used."""

    credential_id: bytes
    id: str
    user_id: str
    name: str
    public_key: bytes
    sign_count: int
    created_at: datetime
    last_used_at: datetime | None


_PASSKEY = """
SELECT p.credential_id, p.id::text, p.user_id::text, p.name, p.public_key, p.sign_count,
    p.created_at, p.last_used_at FROM passkeys p
"""


async def add(
    connection: Connection,
    passkey_id: str,
    user_id: str,
    name: str,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
) -> Passkey:
    """Keep a new passkey.

    Raises:
        PasskeyExists: it is known, as this or another user's.
        TooManyPasskeys: the user has very many.
    """
    await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)
    count = await connection.fetchval("SELECT count(*) FROM passkeys WHERE user_id = $1", user_id)
    if count >= MOST:
        raise TooManyPasskeys
    try:
        await connection.execute(
            """
            INSERT INTO passkeys (credential_id, id, user_id, name, public_key, sign_count)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            credential_id,
            passkey_id,
            user_id,
            name,
            public_key,
            sign_count,
        )
    except asyncpg.UniqueViolationError as error:
        raise PasskeyExists from error
    found = await find(connection, credential_id)
    if found is None:
        raise NotFound("There is no such passkey.")
    return found


async def find(connection: Connection, credential_id: bytes) -> Passkey | None:
    """The passkey with this id, of a user who may log in."""
    row = await connection.fetchrow(
        f"""
        {_PASSKEY} JOIN users u ON u.id = p.user_id
        WHERE p.credential_id = $1 AND u.disabled_at IS NULL
        """,
        credential_id,
    )
    return Passkey(**dict(row)) if row else None


async def of_user(connection: Connection, user_id: str) -> Sequence[Passkey]:
    """The passkeys of a user, oldest first."""
    rows = await connection.fetch(f"{_PASSKEY} WHERE p.user_id = $1 ORDER BY p.id", user_id)
    return [Passkey(**dict(row)) for row in rows]


async def use(connection: Connection, passkey: Passkey, sign_count: int) -> bool:
    """Count a use. False if the device's counter has not gone on: there may be a copy of it."""
    used = await connection.fetchval(
        """
        UPDATE passkeys SET sign_count = $2, last_used_at = now() WHERE credential_id = $1
        AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING id
        """,
        passkey.credential_id,
        sign_count,
    )
    return used is not None


async def delete(connection: Connection, user_id: str, passkey_id: str) -> None:
    """Forget a passkey of this user.

    Raises:
        NotFound: there is none.
    """
    gone = await connection.fetchval(
        "DELETE FROM passkeys WHERE user_id = $1 AND id = $2 RETURNING id", user_id, passkey_id
    )
    if gone is None:
        raise NotFound("There is no such passkey.")


async def check_opens(connection: Connection, user_id: str) -> None:
    """Refuse a user who may not log in by a passkey alone.

    About whom a provider decides, it has to be asked at every login.

    Raises:
        OnlyByProvider: the user is such a one.
    """
    if not await connection.fetchval(
        "SELECT oidc_subject IS NULL OR oidc_linked FROM users WHERE id = $1", user_id
    ):
        raise OnlyByProvider
