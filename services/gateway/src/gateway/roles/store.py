"""SQL about roles."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from common.db import Connection
from common.errors import Conflict, NotFound


class RoleExists(Conflict):
    """There is a role of that name already."""

    code = "role_exists"


class RoleInUse(Conflict):
    """Users have this role: take it from them first."""

    code = "role_in_use"


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions with a name."""

    name: str
    permissions: list[str]
    description: str = ""
    built_in: bool = False
    mfa_required: bool = False
    request_factor: float = 1
    users: int = 0


_ROLE = """
SELECT r.name, r.permissions, r.description, r.built_in, r.mfa_required,
    r.request_factor::float8 AS request_factor,
    (SELECT count(*) FROM user_roles ur WHERE ur.role = r.name) AS users
FROM roles r
"""


async def everything(connection: Connection) -> Sequence[Role]:
    """Every role: those built in, then the others by name."""
    rows = await connection.fetch(f"{_ROLE} ORDER BY r.built_in DESC, r.name")
    return [Role(**dict(row)) for row in rows]


async def find(connection: Connection, name: str) -> Role:
    """The role of that name.

    Raises:
        NotFound: there is none.
    """
    row = await connection.fetchrow(f"{_ROLE} WHERE r.name = $1", name)
    if row is None:
        raise NotFound("There is no such role.")
    return Role(**dict(row))


async def add(connection: Connection, role: Role) -> None:
    """Create a role.

    Raises:
        RoleExists: the name is taken.
    """
    try:
        await connection.execute(
            """
            INSERT INTO roles (name, permissions, description, mfa_required, request_factor)
            VALUES ($1, $2, $3, $4, $5)
            """,
            role.name,
            role.permissions,
            role.description,
            role.mfa_required,
            role.request_factor,
        )
    except asyncpg.UniqueViolationError as error:
        raise RoleExists from error


async def save(connection: Connection, role: Role) -> None:
    """Change a role."""
    await connection.execute(
        """
        UPDATE roles SET permissions = $2, description = $3, mfa_required = $4, request_factor = $5
        WHERE name = $1
        """,
        role.name,
        role.permissions,
        role.description,
        role.mfa_required,
        role.request_factor,
    )


async def delete(connection: Connection, name: str) -> None:
    """Remove a role.

    Raises:
        RoleInUse: somebody has it.
    """
    try:
        await connection.execute("DELETE FROM roles WHERE name = $1", name)
    except asyncpg.ForeignKeyViolationError as error:
        raise RoleInUse from error
