"""SQL about API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from common.db import Connection
from common.errors import Conflict, Unauthorized

MOST = 50


class KeyExists(Conflict):
    """There is a key of that name already."""

    code = "api_key_exists"


class TooMany(Conflict):
    """There are as many keys as a user may have: revoke one first."""

    code = "too_many_api_keys"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as its owner may see it."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    station: str
    sensitive: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A key that is asked for."""

    name: str
    scopes: list[str]
    expires_at: datetime | None
    station: str
    sensitive: bool


_KEY = """
SELECT id::text, name, prefix, scopes, station, sensitive, created_at, expires_at, last_used_at,
    last_used_address FROM api_keys
"""


async def add(
    connection: Connection, key_id: str, user_id: str, prefix: str, digest: bytes, wish: Wish
) -> Key:
    """Keep a new key of a user who may log in.

    Raises:
        Unauthorized: the user has been disabled meanwhile.
        KeyExists: the user has one of that name.
        TooMany: the user has very many.
    """
    let_in = "SELECT id FROM users WHERE id = $1 AND disabled_at IS NULL FOR UPDATE"
    if await connection.fetchval(let_in, user_id) is None:
        raise Unauthorized
    count = await connection.fetchval("SELECT count(*) FROM api_keys WHERE user_id = $1", user_id)
    if count >= MOST:
        raise TooMany
    try:
        await connection.execute(
            """
            INSERT INTO api_keys (id, user_id, name, prefix, secret_digest, scopes, station,
                sensitive, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            key_id,
            user_id,
            wish.name,
            prefix,
            digest,
            wish.scopes,
            wish.station,
            wish.sensitive,
            wish.expires_at,
        )
    except asyncpg.UniqueViolationError as error:
        raise KeyExists from error
    row = await connection.fetchrow(f"{_KEY} WHERE id = $1", key_id)
    return Key(**dict(row or {}))


async def of_user(connection: Connection, user_id: str) -> Sequence[Key]:
    """The keys of a user, newest first; those that have expired are among them."""
    rows = await connection.fetch(f"{_KEY} WHERE user_id = $1 ORDER BY id DESC", user_id)
    return [Key(**dict(row)) for row in rows]


async def delete(connection: Connection, user_id: str, key_id: str) -> str | None:
    """Revoke a key of this user, and say its prefix; None if there is no such key."""
    prefix: str | None = await connection.fetchval(
        "DELETE FROM api_keys WHERE id = $1 AND user_id = $2 RETURNING prefix", key_id, user_id
    )
    return prefix
