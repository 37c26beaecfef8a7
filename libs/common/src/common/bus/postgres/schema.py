"""The schema ``bus``, brought up to date by whoever starts first."""

import hashlib
from importlib.resources import files
from typing import TypeAlias

import asyncpg

from common.errors import Conflict

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_LOCK = 0x5354_524F_4E47_4255  # one number for all who use this database


async def migrate(connection: Connection) -> None:
    """Apply what is missing of ``migrations``, in order, in one transaction."""
    scripts = sorted(
        (script for script in files(__package__).joinpath("migrations").iterdir()),
        key=lambda script: script.name,
    )
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # IF NOT EXISTS would ask for the right to create schemas even where this one is there.
        if await connection.fetchval("SELECT to_regnamespace('bus') IS NULL"):
            await connection.execute("CREATE SCHEMA bus")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS bus.schema_migrations "
            "(name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = {
            row["name"]: row["sha256"]
            for row in await connection.fetch("SELECT name, sha256 FROM bus.schema_migrations")
        }
        for script in scripts:
            if script.name.endswith(".sql"):
                await _apply(connection, script.name, script.read_text(), applied)


async def _apply(connection: Connection, name: str, text: str, applied: dict[str, str]) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    if name not in applied:
        await connection.execute(text)
        await connection.execute(
            "INSERT INTO bus.schema_migrations (name, sha256) VALUES ($1, $2)", name, digest
        )
    elif applied[name] != digest:
        raise Conflict(f"The bus migration {name} was changed after it had been applied.")
