"""SQL about users whom a provider knows."""

from collections.abc import Sequence

import asyncpg

from common.db import Connection
from common.errors import Conflict, Invalid
from gateway.oidc.domain import Person


class NameTaken(Conflict):
    """A user who does not log in by the provider has this name: rename one of them."""

    code = "user_exists"


async def find(connection: Connection, person: Person) -> str | None:
    """The user that this person is here."""
    found = await connection.fetchval(
        "SELECT id::text FROM users WHERE oidc_issuer = $1 AND oidc_subject = $2",
        person.issuer,
        person.subject,
    )
    return str(found) if found else None


async def add(connection: Connection, user_id: str, person: Person, key: str) -> None:
    """Create the user that this person is from now on, without a password.

    Raises:
        NameTaken: the name is that of another user, whom the provider does not vouch for.
    """
    try:
        await connection.execute(
            """
            INSERT INTO users (id, name, name_key, oidc_issuer, oidc_subject)
            VALUES ($1, $2, $3, $4, $5)
            """,
            user_id,
            person.name,
            key,
            person.issuer,
            person.subject,
        )
    except asyncpg.UniqueViolationError as error:
        raise NameTaken from error


async def set_roles(connection: Connection, user_id: str, roles: Sequence[str]) -> bool:
    """Give a user these roles and no others; whether that changed any.

    Raises:
        Invalid: one of them does not exist.
    """
    before = await connection.fetch("SELECT role FROM user_roles WHERE user_id = $1", user_id)
    if {row["role"] for row in before} == set(roles):
        return False
    await connection.execute("DELETE FROM user_roles WHERE user_id = $1", user_id)
    try:
        await connection.execute(
            "INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[])", user_id, roles
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise Invalid("GATEWAY_OIDC_GROUP_ROLES names a role that does not exist.") from error
    return True
