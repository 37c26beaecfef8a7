"""All SQL of token-service. Every function works in the transaction of its caller."""

from common.db import Connection
from token_service.domain import Keys


async def find_keys(connection: Connection) -> Keys | None:
    """The repository's keys; None before there are any."""
    row = await connection.fetchrow(
        "SELECT repository_id, generation, encrypted, config FROM keys WHERE keyring = 'main'"
    )
    return Keys(**dict(row)) if row else None


async def lock_keys(connection: Connection) -> None:
    """Be the only one who makes keys until the transaction ends, however many replicas run."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.keys', 0))"
    )


async def insert_keys(connection: Connection, keys: Keys, created_by: str) -> None:
    """Store the keys of a new repository."""
    await connection.execute(
        """
        INSERT INTO keys (repository_id, generation, encrypted, config, created_by, updated_by)
        VALUES ($1, $2, $3, $4, $5, $5)
        """,
        keys.repository_id,
        keys.generation,
        keys.encrypted,
        keys.config,
        created_by,
    )


async def replace_keys(connection: Connection, keys: Keys, updated_by: str) -> None:
    """Put the keys of a newer generation in the place of the former ones."""
    await connection.execute(
        """
        UPDATE keys SET generation = $2, encrypted = $3, config = $4,
                        updated_at = now(), updated_by = $5
        WHERE repository_id = $1 AND generation < $2
        """,
        keys.repository_id,
        keys.generation,
        keys.encrypted,
        keys.config,
        updated_by,
    )
