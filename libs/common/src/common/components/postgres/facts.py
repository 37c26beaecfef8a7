"""What is known of a database beside its dump: how to make it again, and what to tell of it."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import asyncpg

from common.errors import Corrupt

TOLD_TABLES = 100
Privileges = tuple[tuple[str, str, bool], ...]

DATABASE = """
    SELECT to_jsonb(d) || jsonb_build_object(
        'encoding', pg_encoding_to_char(encoding),
        'owner', pg_get_userbyid(datdba),
        'comment', shobj_description(oid, 'pg_database'),
        'size', pg_database_size(oid),
        'server', current_setting('server_version'))
    FROM pg_database AS d WHERE datname = current_database()
"""
TABLES = """
    SELECT format('%s.%s', n.nspname, c.relname) AS name, nullif(c.reltuples, -1)::bigint AS rows,
        count(*) OVER () AS tables
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY c.reltuples DESC, 1 LIMIT $1
"""
EXTENSIONS = "SELECT extname, extversion FROM pg_extension ORDER BY 1"
ROLES = """
    SELECT DISTINCT r.rolname FROM pg_shdepend AS s JOIN pg_roles AS r ON r.oid = s.refobjid
    WHERE s.refclassid = 'pg_authid'::regclass AND s.dbid IN (0, (
        SELECT oid FROM pg_database WHERE datname = current_database()))
        AND (s.dbid <> 0 OR (s.classid = 'pg_database'::regclass AND s.objid = (
            SELECT oid FROM pg_database WHERE datname = current_database())))
    UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
    UNION SELECT rolname FROM pg_roles WHERE oid = 10
    ORDER BY 1
"""
TABLESPACES = """
    SELECT DISTINCT t.spcname FROM pg_class AS c JOIN pg_tablespace AS t ON t.oid = c.reltablespace
    WHERE t.spcname !~ '^pg_' ORDER BY 1
"""
SETTINGS = """
    SELECT coalesce(r.rolname, '') AS role, c.setting
    FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole
        CROSS JOIN unnest(s.setconfig) WITH ORDINALITY AS c (setting, place)
    WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY 1, c.place
"""
PRIVILEGES = """
    SELECT coalesce(r.rolname, '') AS role, a.privilege_type, a.is_grantable
    FROM pg_database AS d CROSS JOIN aclexplode(d.datacl) AS a
        LEFT JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE d.datname = current_database() ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """A database as it was. It is kept among the content, for settings may hold secrets.

    ``privileges`` is None where they are the default. A role "" is everybody.
    """

    name: str
    server: str
    encoding: str
    collate: str
    ctype: str
    owner: str
    provider: str = "c"
    locale: str = ""
    icu_rules: str = ""
    comment: str = ""
    connection_limit: int = -1
    roles: tuple[str, ...] = ()
    tablespaces: tuple[str, ...] = ()
    extensions: dict[str, str] = field(default_factory=dict)
    settings: tuple[tuple[str, str], ...] = ()
    privileges: Privileges | None = None
    tables: int = 0

    def to_json(self) -> bytes:
        """For the backup."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """From a backup, also one of a later version that knows more.

        Raises:
            Corrupt: it is something else.
        """
        try:
            found = json.loads(text)
            known = {name: found[name] for name in cls.__dataclass_fields__ if name in found}
            for name in ("roles", "tablespaces"):
                known[name] = tuple(known.get(name, ()))
            for name in ("settings", "privileges"):
                if known.get(name) is not None:
                    known[name] = tuple(tuple(row) for row in known[name])
            return cls(**known)
        except (ValueError, TypeError, AttributeError) as error:
            raise Corrupt("What the backup says of its database cannot be understood.") from error


async def major_version(connection: asyncpg.Connection) -> int:
    """The major version of the server."""
    return int(connection.get_server_version().major)


async def look(connection: asyncpg.Connection) -> tuple[Facts, dict[str, Any]]:
    """The facts of the database connected to, and the details that may be listed."""
    row = json.loads(await connection.fetchval(DATABASE))
    tables = await connection.fetch(TABLES, TOLD_TABLES)
    privileges = None
    if row.get("datacl") is not None:
        privileges = tuple(tuple(found) for found in await connection.fetch(PRIVILEGES))
    facts = Facts(
        name=row["datname"],
        server=row["server"],
        encoding=row["encoding"],
        collate=row.get("datcollate") or "",
        ctype=row.get("datctype") or "",
        owner=row["owner"],
        provider=row.get("datlocprovider") or "c",
        locale=row.get("datlocale") or row.get("daticulocale") or "",
        icu_rules=row.get("daticurules") or "",
        comment=row.get("comment") or "",
        connection_limit=row.get("datconnlimit", -1),
        roles=tuple(found["rolname"] for found in await connection.fetch(ROLES)),
        tablespaces=tuple(found["spcname"] for found in await connection.fetch(TABLESPACES)),
        extensions=dict(tuple(found) for found in await connection.fetch(EXTENSIONS)),
        settings=tuple(tuple(found) for found in await connection.fetch(SETTINGS)),
        privileges=privileges,
        tables=tables[0]["tables"] if tables else 0,
    )
    return facts, _details(facts, row["size"], {found["name"]: found["rows"] for found in tables})


def _details(facts: Facts, size: int, rows: dict[str, int | None]) -> dict[str, Any]:
    return {
        "database": facts.name,
        "server_version": facts.server,
        "database_bytes": size,
        "encoding": facts.encoding,
        "collation": facts.locale or facts.collate,
        "extensions": facts.extensions,
        "tables": facts.tables,
        "rows_estimated": rows,
    }
