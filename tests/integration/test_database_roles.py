"""deploy/postgres/init.sql: what each service's login can do, and what it cannot."""

from collections.abc import Callable

import asyncpg
import pytest

from standalone.postgres import BACKUP_ROLE, ROLES, Cluster

Url = Callable[[str], str]


@pytest.mark.parametrize("role", ROLES)
async def test_a_service_works_in_its_own_schema(database_url: Url, role: str) -> None:
    """Lost: a service that cannot apply its migrations."""
    connection = await asyncpg.connect(database_url(role))
    try:
        await connection.execute("CREATE TABLE own (id int)")
        found = await connection.fetchval("SELECT 'own'::regclass::oid::regclass::text")
        schema = await connection.fetchval("SELECT current_schema()")
        await connection.execute("DROP TABLE own")
    finally:
        await connection.close()
    assert (found, schema) == ("own", role)


@pytest.mark.parametrize("role", ROLES)
async def test_a_service_sees_no_other_schema(database_url: Url, role: str) -> None:
    """Lost: the wall between services; one that is broken into would read all of them."""
    other = next(name for name in ROLES if name != role)
    owner = await asyncpg.connect(database_url(other))
    connection = await asyncpg.connect(database_url(role))
    try:
        await owner.execute("CREATE TABLE secret (id int)")
        for statement in (
            f"SELECT * FROM {other}.secret",
            f"CREATE TABLE {other}.planted (id int)",
            "CREATE TABLE public.planted (id int)",
            f"SET ROLE {other}",
            "CREATE SCHEMA planted",
            "CREATE TEMP TABLE planted (id int)",
            "CREATE DATABASE planted",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await owner.execute("DROP TABLE secret")
        await owner.close()
        await connection.close()


async def test_the_backup_role_reads_everything_and_writes_nothing(database_url: Url) -> None:
    """Lost: a backup of the platform's own database, or a backup login that can change it."""
    owner = await asyncpg.connect(database_url("gateway"))
    reader = await asyncpg.connect(database_url(BACKUP_ROLE))
    try:
        await owner.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
        assert await reader.fetchval("SELECT id FROM gateway.kept") == 7
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute("DELETE FROM gateway.kept")
    finally:
        await owner.execute("DROP TABLE kept")
        await owner.close()
        await reader.close()


async def test_no_login_works_without_its_password(database_url: Url) -> None:
    """Lost: any local process could become any service."""
    without = database_url("gateway").split("@", 1)[1]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://gateway:wrong@{without}")


def test_provisioning_again_changes_nothing(postgres_server: Cluster) -> None:
    """Lost: the second start, which runs the same file."""
    postgres_server.create_database("again")
    postgres_server.create_database("again")
    postgres_server.drop_database("again")
    assert "again" not in postgres_server.sql(
        "SELECT datname FROM pg_database", database="postgres"
    )
