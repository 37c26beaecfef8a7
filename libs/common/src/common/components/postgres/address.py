"""Where a PostgreSQL database is, and how its password reaches a program unseen."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import SecretStr

from common.errors import Invalid

PARAMETERS = ("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")
KEEPALIVE = {"keepalives_idle": "60", "keepalives_interval": "15", "keepalives_count": "4"}
LONGEST_NAME = 63
PORT = 5432


@dataclass(frozen=True, slots=True)
class Address:
    """A database on a server, without its password."""

    user: str
    database: str
    host: str = ""
    port: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> tuple[Self, str]:
        """The address and the password in a URL ``postgresql://user:password@host:port/database``.

        The host may be the folder of a socket, given as ``?host=/run/postgresql``.

        Raises:
            Invalid: it is no such URL. The message does not repeat it.
        """
        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            port = parts.port or (int(given["port"]) if "port" in given else None)
        except ValueError as error:
            raise Invalid("The address of a database is not a URL.") from error
        if parts.scheme not in {"postgresql", "postgres"}:
            raise Invalid("The address of a database begins with postgresql://.")
        unknown = set(given) - set(PARAMETERS)
        if unknown:
            raise Invalid(
                f"The address of a database has parameters not known: {', '.join(sorted(unknown))}."
            )
        host = given.pop("host", "") or unquote(parts.hostname or "")
        given.pop("port", None)
        database = check_name(unquote(parts.path.removeprefix("/")))
        user = unquote(parts.username or "") or "postgres"
        return cls(user, database, host, port, given), unquote(parts.password or "")

    def at(self, database: str) -> "Address":
        """Another database on the same server."""
        return replace(self, database=check_name(database))

    def conninfo(self) -> str:
        """For the programs: a connection string, in which any name is safe."""
        values = {
            "host": self.host,
            "port": str(self.port or ""),
            "user": self.user,
            "dbname": self.database,
            **self.parameters,
            **KEEPALIVE,
        }
        return " ".join(f"{key}={_quoted(value)}" for key, value in values.items() if value)

    def url(self) -> str:
        """For asyncpg, which would take a port that is not named from the environment."""
        given = {**self.parameters, "port": str(self.port or PORT)}
        if self.host:
            given["host"] = self.host
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        return f"postgresql://{user}@/{database}?{urlencode(given)}"

    def __str__(self) -> str:
        """For people."""
        return f"{self.database} on {self.host or 'this machine'}"


def check_name(name: str) -> str:
    """A name that a database can have.

    Raises:
        Invalid: it is empty, too long, or one of PostgreSQL's own.
    """
    if not name or "\0" in name or len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise Invalid(f"The name of a database has 1 to {LONGEST_NAME} bytes.")
    if name in {"template0", "template1"}:
        raise Invalid(f"{name} belongs to PostgreSQL.")
    return name


def read_password(path: Path) -> SecretStr:
    """The first line of a file.

    Raises:
        Invalid: it cannot be read.
    """
    try:
        return SecretStr(path.read_text().partition("\n")[0])
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"The password file {path} cannot be read.",
            remedy="Correct the path or the permissions of the file.",
        ) from error


@contextmanager
def environment(password: SecretStr) -> Iterator[tuple[dict[str, str], list[int]]]:
    """The environment of a program, and the files that it must inherit.

    The password is in a file that has no name and is no longer there when the processes are gone,
    whatever ends them: arguments are visible to everybody, and the environment to a core dump.
    """
    variables: dict[str, Any] = {
        "PATH": os.defpath,
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
        "PGCONNECT_TIMEOUT": "20",
        "PGAPPNAME": "strongroom",
    }
    if not password.get_secret_value():
        yield variables, []
        return
    file = os.memfd_create("password", os.MFD_CLOEXEC)
    try:
        os.fchmod(file, 0o600)
        escaped = password.get_secret_value().replace("\\", "\\\\").replace(":", "\\:")
        os.write(file, f"*:*:*:*:{escaped}\n".encode())
        variables["PGPASSFILE"] = f"/proc/self/fd/{file}"
        yield variables, [file]
    finally:
        os.close(file)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
