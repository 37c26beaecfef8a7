"""SQL about users whom a provider knows."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from common.db import Connection
from common.errors import Conflict, Invalid, NotFound
from gateway.oidc.domain import Person


class NameTaken(Conflict):
    """A user who does not log in by the provider has this name: rename one of them."""

    code = "user_exists"


class PersonTaken(Conflict):
    """This person is another user here already."""

    code = "person_taken"


class AlreadyKnown(Conflict):
    """The provider knows this user as somebody already: part them first."""

    code = "already_linked"


class NoOtherWay(Conflict):
    """Only the provider lets this user in: an administrator can give a password."""

    code = "no_other_way_in"


@dataclass(frozen=True, slots=True)
class Known:
    """A user whom the provider knows; of one that was linked it decides nothing."""

    user_id: str
    linked: bool


async def find(connection: Connection, issuer: str, subject: str) -> Known | None:
    """The user that this person is here."""
    row = await connection.fetchrow(
        """
        SELECT id::text AS user_id, oidc_linked AS linked FROM users
        WHERE oidc_issuer = $1 AND oidc_subject = $2
        """,
        issuer,
        subject,
    )
    return Known(**dict(row)) if row else None


async def check_exists(connection: Connection, user_id: str) -> None:
    """Refuse a user who is not there.

    Raises:
        NotFound: there is no such user.
    """
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM users WHERE id = $1)", user_id):
        raise NotFound("There is no such user.")


async def link(connection: Connection, user_id: str, issuer: str, subject: str) -> None:
    """Let a user be this person from now on. Repeatable.

    Raises:
        PersonTaken: the person is another user.
        AlreadyKnown: the user is another person.
    """
    known = await find(connection, issuer, subject)
    if known is not None and known.user_id != user_id:
        raise PersonTaken
    if known is not None:
        return
    linked = await connection.fetchval(
        """
        UPDATE users SET oidc_issuer = $2, oidc_subject = $3, oidc_linked = true
        WHERE id = $1 AND oidc_subject IS NULL RETURNING id
        """,
        user_id,
        issuer,
        subject,
    )
    if linked is None:
        raise AlreadyKnown


async def unlink(connection: Connection, user_id: str, *, own: bool) -> None:
    """Let a user be nobody at the provider any more; ``own``: as the user's own act.

    Raises:
        NotFound: the provider does not know the user.
        NoOtherWay: it is the user's own act, and the provider decides about the user, or there is
            neither a password nor a passkey.
    """
    row = await connection.fetchrow(
        """
        SELECT oidc_linked AND (password_hash IS NOT NULL
            OR EXISTS (SELECT FROM passkeys WHERE user_id = $1)) AS free
        FROM users WHERE id = $1 AND oidc_subject IS NOT NULL FOR UPDATE
        """,
        user_id,
    )
    if row is None:
        raise NotFound("The provider does not know this user.")
    if own and not row["free"]:
        raise NoOtherWay
    await connection.execute(
        """
        UPDATE users SET oidc_issuer = NULL, oidc_subject = NULL, oidc_linked = false WHERE id = $1
        """,
        user_id,
    )


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
