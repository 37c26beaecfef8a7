"""Forward-only migrations: numbered SQL files, each applied once, in its own transaction."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

import asyncpg
import structlog

from common.db.pool import Connection, Pool
from common.errors import Conflict, Forbidden, Invalid, Unavailable

Source = tuple[str, Traversable | Path]

_NAME = re.compile(r"^(\d{4})_[a-z0-9]+(_[a-z0-9]+)*\.sql$")
_LOCK_SECONDS = 120.0
_FILE_SECONDS = 900.0
_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        source text NOT NULL,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (source, name)
    )
"""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of a source."""

    source: str
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """What is remembered of the file, so that a later change to it is seen."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read(source: str, folder: Traversable | Path) -> list[Migration]:
    """The migrations in ``folder``, in order.

    Raises:
        Invalid: a file is not called NNNN_verb_noun.sql, or two have the same number.
    """
    found: dict[str, Migration] = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.match(file.name)
        if match is None or match[1] in found:
            raise Invalid(f"The migration {source}/{file.name} needs a name NNNN_verb_noun.sql.")
        found[match[1]] = Migration(source, file.name, file.read_text(encoding="utf-8"))
    return list(found.values())


async def migrate(pool: Pool, *sources: Source) -> None:
    """Bring the pool's schema up to date with every source, one process at a time.

    Raises:
        Conflict: a file was changed after it had been applied.
        Forbidden: the schema is missing and this role may not create it.
        Unavailable: another process held the lock for too long.
    """
    migrations = [each for source, folder in sources for each in read(source, folder)]
    async with pool.acquire(timeout=_LOCK_SECONDS) as connection:
        schema = await _ensure_schema(connection)
        await _lock(connection, f"{schema}.migrations")
        try:
            await connection.execute(_TABLE)
            rows = await connection.fetch("SELECT source, name, sha256 FROM schema_migrations")
            applied = {(row["source"], row["name"]): row["sha256"] for row in rows}
            for migration in migrations:
                await _apply(connection, migration, applied)
        finally:
            await connection.execute("SELECT pg_advisory_unlock_all()")


async def _ensure_schema(connection: Connection) -> str:
    schema: str | None = await connection.fetchval("SELECT current_schema()")
    if schema is not None:
        return schema
    path: str = await connection.fetchval("SELECT current_setting('search_path')")
    try:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {path}")
    except asyncpg.InsufficientPrivilegeError:
        raise Forbidden(
            f"The schema {path} does not exist, and this login may not create it.",
            remedy="Let an administrator of the database run deploy/postgres/init.sql.",
        ) from None
    except asyncpg.UniqueViolationError:
        # Another process created it in the same moment.
        log.debug("schema was there", schema=path)
    return path.strip('"')


async def _lock(connection: Connection, name: str) -> None:
    deadline = asyncio.get_running_loop().time() + _LOCK_SECONDS
    take = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
    while not await connection.fetchval(take, name):
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable("Another process has been migrating this schema for two minutes.")
        await asyncio.sleep(0.2)


async def _apply(
    connection: Connection, migration: Migration, applied: dict[tuple[str, str], str]
) -> None:
    before = applied.get((migration.source, migration.name))
    if before == migration.sha256:
        return
    if before is not None:
        raise Conflict(
            f"The migration {migration.source}/{migration.name} was changed after it was applied.",
            remedy="Restore the file and put the change into a new one.",
        )
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(migration.sql, timeout=_FILE_SECONDS)
        await connection.execute(
            "INSERT INTO schema_migrations (source, name, sha256) VALUES ($1, $2, $3)",
            migration.source,
            migration.name,
            migration.sha256,
        )
    log.info("migration applied", source=migration.source, name=migration.name)
