"""SQL about users."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.db import Connection


@dataclass(frozen=True, slots=True)
class User:
    """A user as a login needs it."""

    id: str
    name: str
    password_hash: str | None
    disabled: bool = False


async def any_user(connection: Connection) -> bool:
    """Whether there is a user. Replicas that ask at the same time wait for each other's commit."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('gateway.first-administrator', 0))"
    )
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM users)"))


async def add_user(
    connection: Connection,
    user: User,
    key: str,
    roles: Sequence[str],
    *,
    must_change_password: bool = False,
) -> None:
    """Create a user with these roles; ``key`` is the name as it is compared."""
    await connection.execute(
        """
        INSERT INTO users (id, name, name_key, password_hash, must_change_password)
        VALUES ($1, $2, $3, $4, $5)
        """,
        user.id,
        user.name,
        key,
        user.password_hash,
        must_change_password,
    )
    await connection.execute(
        "INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[])", user.id, roles
    )


async def find_user(connection: Connection, key: str) -> User | None:
    """The user whose name is compared as ``key``."""
    row = await connection.fetchrow(
        """
        SELECT id::text, name, password_hash, disabled_at IS NOT NULL AS disabled
        FROM users WHERE name_key = $1
        """,
        key,
    )
    return User(**dict(row)) if row else None


async def password_of(connection: Connection, user_id: str) -> str | None:
    """What is stored of a user's password; None if there is no such user or password."""
    found: str | None = await connection.fetchval(
        "SELECT password_hash FROM users WHERE id = $1", user_id
    )
    return found


async def replace_hash(connection: Connection, user_id: str, old: str, new: str) -> None:
    """Store a new hash, unless the password has been changed meanwhile."""
    await connection.execute(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        user_id,
        old,
        new,
    )
