"""SQL about accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from common.db import Connection
from common.errors import Conflict, NotFound


class UserExists(Conflict):
    """There is a user of that name already."""

    code = "user_exists"


@dataclass(frozen=True, slots=True)
class Account:
    """A user as administrators see one."""

    id: str
    name: str
    roles: list[str]
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    must_change_password: bool
    has_password: bool
    second_factor: bool
    external: bool
    linked: bool


@dataclass(frozen=True, slots=True)
class Use:
    """That a user holds a permission, by which roles, and when it was last used."""

    user_id: str
    user_name: str
    disabled: bool
    permission: str
    roles: list[str]
    last_used_at: datetime | None


_ACCOUNT = """
SELECT u.id::text, u.name, u.created_at, u.last_login_at, u.disabled_at, u.must_change_password,
    u.password_hash IS NOT NULL AS has_password, u.oidc_subject IS NOT NULL AS external,
    u.oidc_linked AS linked,
    EXISTS (SELECT FROM totp t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL)
    OR EXISTS (SELECT FROM passkeys p WHERE p.user_id = u.id) AS second_factor,
    ARRAY(SELECT role FROM user_roles ur WHERE ur.user_id = u.id ORDER BY role) AS roles
FROM users u
"""


async def page(connection: Connection, limit: int, offset: int) -> tuple[list[Account], int]:
    """Some users by name, and how many there are."""
    rows = await connection.fetch(
        f"{_ACCOUNT} ORDER BY u.name_key LIMIT $1 OFFSET $2", limit, offset
    )
    total: int = await connection.fetchval("SELECT count(*) FROM users")
    return [Account(**dict(row)) for row in rows], total


async def find(connection: Connection, user_id: str) -> Account:
    """The user with that id.

    Raises:
        NotFound: there is none.
    """
    row = await connection.fetchrow(f"{_ACCOUNT} WHERE u.id = $1", user_id)
    if row is None:
        raise NotFound("There is no such user.")
    return Account(**dict(row))


async def granted_by(connection: Connection, roles: Sequence[str]) -> list[str]:
    """What these roles grant together.

    Raises:
        NotFound: one of them does not exist.
    """
    rows = await connection.fetch(
        "SELECT name, permissions FROM roles WHERE name = ANY($1::text[])", roles
    )
    if missing := sorted(set(roles) - {row["name"] for row in rows}):
        raise NotFound(f"There is no role '{missing[0]}'.")
    return sorted({permission for row in rows for permission in row["permissions"]})


async def rename(connection: Connection, user_id: str, name: str, key: str) -> None:
    """Give a user another name.

    Raises:
        UserExists: it is somebody else's.
    """
    try:
        await connection.execute(
            "UPDATE users SET name = $2, name_key = $3 WHERE id = $1", user_id, name, key
        )
    except asyncpg.UniqueViolationError as error:
        raise UserExists from error


async def set_roles(connection: Connection, user_id: str, roles: Sequence[str]) -> None:
    """Give a user these roles and no others."""
    await connection.execute(
        "DELETE FROM user_roles WHERE user_id = $1 AND role <> ALL($2::text[])", user_id, roles
    )
    await connection.execute(
        """
        INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[])
        ON CONFLICT DO NOTHING
        """,
        user_id,
        roles,
    )


async def set_disabled(connection: Connection, user_id: str, *, disabled: bool) -> None:
    """Let a user in no more, or again."""
    await connection.execute(
        """
        UPDATE users SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END
        WHERE id = $1
        """,
        user_id,
        disabled,
    )


async def set_password(
    connection: Connection, user_id: str, stored: str, *, must_change: bool
) -> None:
    """Store the hash of a new password."""
    await connection.execute(
        "UPDATE users SET password_hash = $2, must_change_password = $3 WHERE id = $1",
        user_id,
        stored,
        must_change,
    )


async def delete(connection: Connection, user_id: str) -> None:
    """Remove a user with everything that was the user's; the audit log is elsewhere."""
    await connection.execute("DELETE FROM users WHERE id = $1", user_id)


async def uses(connection: Connection) -> list[Use]:
    """Who holds which permission, and when it was last used."""
    rows = await connection.fetch(
        """
        SELECT u.id::text AS user_id, u.name AS user_name, u.disabled_at IS NOT NULL AS disabled,
            p AS permission, array_agg(DISTINCT ur.role ORDER BY ur.role) AS roles,
            max(pu.used_at) AS last_used_at
        FROM users u JOIN user_roles ur ON ur.user_id = u.id JOIN roles r ON r.name = ur.role
        CROSS JOIN LATERAL unnest(r.permissions) AS p
        LEFT JOIN permission_uses pu ON pu.user_id = u.id AND pu.permission = p
        GROUP BY u.id, p ORDER BY u.name_key, p
        """
    )
    return [Use(**dict(row)) for row in rows]
