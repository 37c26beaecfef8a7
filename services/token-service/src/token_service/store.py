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
