"""Makes a database like a recorded one, with the roles that it needs."""

from dataclasses import dataclass, field

import asyncpg

from common.components.postgres.facts import Facts, Privileges
from common.errors import RestoreFailed

ICU_SINCE = 15
RULES_SINCE = 16
BUILTIN_SINCE = 17
GRANTED = frozenset({"CONNECT", "CREATE", "TEMPORARY"})


@dataclass(slots=True)
class Making:
    """What a restore may do on a server, and what of the original it has to leave."""

    server: int = 0
    arguments: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    owners: bool = True


async def statement(connection: asyncpg.Connection, template: str, *values: str) -> str:
    """SQL of which the server itself has quoted the names (%I) and the texts (%L)."""
    places = ", ".join(f"${number}::text" for number in range(1, len(values) + 2))
    return str(await connection.fetchval(f"SELECT format({places})", template, *values))


async def run(connection: asyncpg.Connection, template: str, *values: str) -> None:
    """Run such a statement."""
    await connection.execute(await statement(connection, template, *values))


async def prepare(connection: asyncpg.Connection, facts: Facts) -> Making:
    """See what the server and the account allow, and make the roles that are missing.

    Raises:
        RestoreFailed: the server lacks an extension that the database is built on.
    """
    making = Making(server=connection.get_server_version().major)
    await _check_extensions(connection, facts)
    await _make_roles(connection, facts, making)
    if not await _may_give_away(connection, facts):
        making.owners = False
        making.arguments += ["--no-owner", "--no-privileges"]
        making.warnings.append(
            "owners and privileges were not restored: the account is neither superuser nor member"
            " of all the roles"
        )
    known = {row[0] for row in await connection.fetch("SELECT spcname FROM pg_tablespace")}
    missing = sorted(set(facts.tablespaces) - known)
    if missing:
        making.arguments.append("--no-tablespaces")
        making.warnings.append(f"tablespaces that are not here were not used: {', '.join(missing)}")
    return making


async def _check_extensions(connection: asyncpg.Connection, facts: Facts) -> None:
    rows = await connection.fetch("SELECT name FROM pg_available_extensions")
    missing = sorted(set(facts.extensions) - {row[0] for row in rows})
    if missing:
        raise RestoreFailed(
            f"The server does not have the extensions {', '.join(missing)}.",
            remedy="Install their packages on the server, then restore again.",
        )


async def _make_roles(connection: asyncpg.Connection, facts: Facts, making: Making) -> None:
    known = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    missing = [role for role in facts.roles if role not in known]
    made = []
    for role in missing:
        try:
            await run(connection, "CREATE ROLE %I NOLOGIN", role)
        except asyncpg.InsufficientPrivilegeError:
            break
        except asyncpg.DuplicateObjectError:
            continue
        made.append(role)
    if made:
        making.warnings.append(
            f"roles were missing and made without the right to log in: {', '.join(made)};"
            " globals.sql of the backup says what they were"
        )


async def _may_give_away(connection: asyncpg.Connection, facts: Facts) -> bool:
    """Whether the account may make every role the owner of something."""
    if await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        return True
    count = await connection.fetchval(
        "SELECT count(*) FROM pg_roles WHERE rolname = ANY($1::text[])"
        " AND pg_has_role(oid, 'MEMBER')",
        list(facts.roles),
    )
    return bool(count == len(facts.roles))


async def create(connection: asyncpg.Connection, name: str, facts: Facts, making: Making) -> None:
    """Make the empty database ``name``, which nobody else may enter yet.

    Raises:
        RestoreFailed: the account may not.
    """
    form = "CREATE DATABASE %I TEMPLATE template0 ENCODING %L"
    try:
        try:
            await _create_as(connection, form, name, facts)
        except asyncpg.InsufficientPrivilegeError:
            raise
        except asyncpg.PostgresError as error:
            await run(connection, form, name, facts.encoding)
            making.warnings.append(
                f"the collation {facts.locale or facts.collate} is not on this server"
                f" ({reason(error)}): text sorts as this server's default"
            )
    except asyncpg.InsufficientPrivilegeError as error:
        raise RestoreFailed(
            "The account may not make databases.",
            remedy="Grant it CREATEDB: ALTER ROLE ... CREATEDB.",
        ) from error
    await run(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    if making.owners:
        await run(connection, "ALTER DATABASE %I OWNER TO %I", name, facts.owner)


async def _create_as(connection: asyncpg.Connection, form: str, name: str, facts: Facts) -> None:
    major = connection.get_server_version().major
    form += " LC_COLLATE %L LC_CTYPE %L"
    values = [name, facts.encoding, facts.collate, facts.ctype]
    if facts.provider == "i" and major >= ICU_SINCE:
        form += " LOCALE_PROVIDER icu ICU_LOCALE %L"
        values.append(facts.locale)
        if facts.icu_rules and major >= RULES_SINCE:
            form += " ICU_RULES %L"
            values.append(facts.icu_rules)
    elif facts.provider == "b" and major >= BUILTIN_SINCE:
        form += " LOCALE_PROVIDER builtin BUILTIN_LOCALE %L"
        values.append(facts.locale)
    elif major >= ICU_SINCE:
        form += " LOCALE_PROVIDER libc"
    await run(connection, form, *values)


async def finish(connection: asyncpg.Connection, name: str, facts: Facts, making: Making) -> None:
    """Give the database what belongs to it and not to what is in it."""
    if facts.comment:
        await run(connection, "COMMENT ON DATABASE %I IS %L", name, facts.comment)
    if facts.connection_limit >= 0:
        await run(
            connection, f"ALTER DATABASE %I CONNECTION LIMIT {facts.connection_limit:d}", name
        )
    await _set_all(connection, name, facts, making)
    if facts.privileges is None:
        await run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC", name)
    elif making.owners:
        await _grant(connection, name, facts.owner, facts.privileges, making)


async def _set_all(connection: asyncpg.Connection, name: str, facts: Facts, making: Making) -> None:
    refused = []
    for role, setting in facts.settings:
        variable, _, value = setting.partition("=")
        try:
            async with connection.transaction():
                await _set(connection, name, role, variable, value)
        except asyncpg.PostgresError as error:
            refused.append(f"{variable}{f' of {role}' if role else ''} ({reason(error)})")
    if refused:
        making.warnings.append(f"settings were not restored: {', '.join(refused)}")


async def _set(
    connection: asyncpg.Connection, name: str, role: str, variable: str, value: str
) -> None:
    # What a setting looks like in SQL depends on the setting; its current value does not.
    await connection.execute("SELECT set_config($1, $2, true)", variable, value)
    if role:
        form = "ALTER ROLE %I IN DATABASE %I SET " + _variable(variable) + " FROM CURRENT"
        await run(connection, form, role, name)
    else:
        await run(connection, f"ALTER DATABASE %I SET {_variable(variable)} FROM CURRENT", name)


def _variable(name: str) -> str:
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in name.split("."))


async def _grant(
    connection: asyncpg.Connection,
    name: str,
    owner: str,
    privileges: Privileges,
    making: Making,
) -> None:
    await run(connection, "REVOKE ALL ON DATABASE %I FROM %I", name, owner)
    for role, privilege, grantable in privileges:
        if privilege not in GRANTED:
            continue
        option = " WITH GRANT OPTION" if grantable else ""
        form = f"GRANT {privilege} ON DATABASE %I TO {'%I' if role else 'PUBLIC'}{option}"
        try:
            await run(connection, form, *([name, role] if role else [name]))
        except asyncpg.PostgresError as error:
            making.warnings.append(
                f"a privilege of {role or 'everybody'} was not restored: {reason(error)}"
            )


def reason(error: Exception) -> str:
    """The first line of what the server says."""
    return str(error).partition("\n")[0]
