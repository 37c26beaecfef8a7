"""What guards every change of users and roles: nobody gives or takes what is not theirs."""

from collections.abc import Collection

from common.db import Connection
from common.errors import Conflict, Forbidden
from gateway.identity.domain import Caller, Permission, allows

ADMINISTRATOR = "administrator"


class CannotGrant(Forbidden):
    """Nobody can manage or grant permissions that they do not hold."""

    code = "cannot_grant"


class LastAdministrator(Conflict):
    """There would be no administrator left."""

    code = "last_administrator"


def check_holds(caller: Caller, permissions: Collection[str]) -> None:
    """Refuse a caller who lacks one of these permissions.

    Raises:
        CannotGrant: naming them.
    """
    missing = sorted(p for p in permissions if not allows(caller.permissions, Permission(p)))
    if missing:
        raise CannotGrant(f"This needs permissions that you do not hold: {', '.join(missing)}.")


async def serialize(connection: Connection) -> None:
    """Let changes of users and roles happen one after another, so that what they check holds."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('gateway.identity-changes', 0))"
    )


async def check_administered(connection: Connection) -> None:
    """Refuse a change, made but not committed, after which nobody could undo it.

    Raises:
        LastAdministrator: no enabled user has the role any more.
    """
    left = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM user_roles ur JOIN users u ON u.id = ur.user_id
        WHERE ur.role = $1 AND u.disabled_at IS NULL)
        """,
        ADMINISTRATOR,
    )
    if not left:
        raise LastAdministrator


async def permissions_of_user(connection: Connection, user_id: str) -> list[str]:
    """What the roles of a user grant."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT unnest(r.permissions) AS permission
        FROM user_roles ur JOIN roles r ON r.name = ur.role WHERE ur.user_id = $1
        """,
        user_id,
    )
    return [row["permission"] for row in rows]


async def check_own_or_lesser(connection: Connection, caller: Caller, user_id: str) -> None:
    """Refuse to act upon another user who may do more than the caller.

    Raises:
        CannotGrant: naming what the caller lacks.
    """
    if user_id != caller.user_id:
        check_holds(caller, await permissions_of_user(connection, user_id))


async def end_access(connection: Connection, user_id: str) -> None:
    """End every session and key of a user."""
    await connection.execute("DELETE FROM sessions WHERE user_id = $1", user_id)
    await connection.execute("DELETE FROM api_keys WHERE user_id = $1", user_id)
