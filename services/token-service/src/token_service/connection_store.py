"""SQL of OAuth connections and of sealing them anew. Every function works in its caller's
transaction.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from common.crypto.keychain import SALT_SIZE
from common.db import Connection


@dataclass(frozen=True, slots=True)
class OAuthConnection:
    """An account elsewhere, and what was agreed with it."""

    id: UUID
    provider: str
    account: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SealedToken:
    """The refresh token of a connection, as it is stored."""

    id: UUID
    sealed: bytes = field(repr=False)
    key_id: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far sealing anew under the newest key has come."""

    key_id: str
    resealed: int
    waiting: int
    finished_at: datetime | None


async def salt(connection: Connection) -> bytes:
    """The installation's salt, made at the first call; every replica gets the same."""
    await connection.execute(
        "INSERT INTO salts (purpose, salt) VALUES ('encryption_key', $1) ON CONFLICT DO NOTHING",
        os.urandom(SALT_SIZE),
    )
    found: bytes = await connection.fetchval(
        "SELECT salt FROM salts WHERE purpose = 'encryption_key'"
    )
    return found


async def put(connection: Connection, found: OAuthConnection, token: SealedToken, by: str) -> None:
    """Store a connection, or another token for one that is there."""
    await connection.execute(
        """
        INSERT INTO oauth_connections
            (id, provider, account, scopes, refresh_token_encrypted, key_id, created_by, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (id) DO UPDATE SET
            scopes = excluded.scopes, refresh_token_encrypted = excluded.refresh_token_encrypted,
            key_id = excluded.key_id, updated_at = now(), updated_by = excluded.updated_by
        """,
        found.id,
        found.provider,
        found.account,
        list(found.scopes),
        token.sealed,
        token.key_id,
        by,
    )


async def find_token(connection: Connection, connection_id: UUID) -> SealedToken | None:
    """The sealed token of a connection."""
    row = await connection.fetchrow(
        "SELECT id, refresh_token_encrypted AS sealed, key_id FROM oauth_connections WHERE id = $1",
        connection_id,
    )
    return SealedToken(**dict(row)) if row else None


async def delete(connection: Connection, connection_id: UUID) -> bool:
    """Forget a connection; whether it was there."""
    status = await connection.execute("DELETE FROM oauth_connections WHERE id = $1", connection_id)
    return bool(status.endswith(" 1"))


async def take_outdated(
    connection: Connection, newest: str, after: UUID, limit: int
) -> list[SealedToken]:
    """Tokens under other keys than ``newest``, by id; nobody else takes them meanwhile."""
    rows = await connection.fetch(
        """
        SELECT id, refresh_token_encrypted AS sealed, key_id FROM oauth_connections
        WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        newest,
        after,
        limit,
    )
    return [SealedToken(**dict(row)) for row in rows]


async def replace(connection: Connection, tokens: Sequence[SealedToken]) -> None:
    """Put tokens that were sealed anew in the place of the former ones."""
    await connection.executemany(
        "UPDATE oauth_connections SET refresh_token_encrypted = $2, key_id = $3 WHERE id = $1",
        [(token.id, token.sealed, token.key_id) for token in tokens],
    )


async def count_outside(connection: Connection, key_ids: Sequence[str]) -> int:
    """How many tokens are under none of these keys."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM oauth_connections WHERE key_id <> ALL ($1::text[])", list(key_ids)
    )
    return found


async def begin(connection: Connection, key_id: str) -> bool:
    """Record that sealing under this key has begun; False: it had."""
    status = await connection.execute(
        """
        INSERT INTO resealings (key_id) VALUES ($1)
        ON CONFLICT (key_id) DO UPDATE SET finished_at = NULL, updated_at = now()
        WHERE resealings.finished_at IS NOT NULL
        """,
        key_id,
    )
    return bool(status.endswith(" 1"))


async def advance(connection: Connection, key_id: str, count: int) -> None:
    """Record that so many more tokens were sealed."""
    await connection.execute(
        "UPDATE resealings SET resealed = resealed + $2, updated_at = now() WHERE key_id = $1",
        key_id,
        count,
    )


async def finish(connection: Connection, key_id: str) -> bool:
    """Record that no token is left under another key; False: that is recorded."""
    status = await connection.execute(
        """
        UPDATE resealings SET finished_at = now(), updated_at = now()
        WHERE key_id = $1 AND finished_at IS NULL
        """,
        key_id,
    )
    return bool(status.endswith(" 1"))


async def progress(connection: Connection, key_id: str) -> Progress:
    """How far sealing under this key has come."""
    row = await connection.fetchrow(
        """
        SELECT $1 AS key_id, coalesce(max(resealed), 0)::bigint AS resealed,
               max(finished_at) AS finished_at,
               (SELECT count(*) FROM oauth_connections WHERE key_id <> $1) AS waiting
        FROM resealings WHERE key_id = $1
        """,
        key_id,
    )
    return Progress(**dict(row or {}))
