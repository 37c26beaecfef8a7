"""SQL of OAuth connections. Every function works in its caller's transaction."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
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


async def count_by_key(connection: Connection) -> dict[str, int]:
    """How many tokens are under each key."""
    rows = await connection.fetch("SELECT key_id, count(*) FROM oauth_connections GROUP BY key_id")
    return {row["key_id"]: row["count"] for row in rows}
