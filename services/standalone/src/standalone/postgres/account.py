"""The unprivileged account that the server runs as when Strongroom itself runs as root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import Invalid

NAME = "strongroom"
FALLBACKS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group to run as."""

    name: str
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give ``path`` to this account."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)


def as_account(account: Account | None) -> dict[str, Any]:
    """The arguments of ``subprocess`` that drop every privilege; none where none is held."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def of_owner(path: Path) -> Account | None:
    """The account that owns ``path``, or None where Strongroom does not run as root."""
    if os.geteuid() != 0:
        return None
    status = path.stat()
    return Account(str(status.st_uid), status.st_uid, status.st_gid)


def choose(named: str = "", *, create: bool) -> Account | None:
    """The account for a new server, or None where Strongroom does not run as root.

    The one that is ``named``; else ``strongroom`` if it exists or can be made (``create``), else
    ``postgres``, else ``nobody``.

    Raises:
        Invalid: the named one does not exist, or is root.
    """
    if os.geteuid() != 0:
        return None
    if named:
        return _existing(named)
    if create and _find(NAME) is None:
        _create()
    candidates = (NAME, *FALLBACKS)
    return next((found for name in candidates if (found := _find(name))), None) or _nobody()


def _existing(name: str) -> Account:
    account = _find(name)
    if account is None:
        raise Invalid(
            f"There is no unprivileged account '{name}' for the database.",
            remedy="Correct STRONGROOM_POSTGRES_USER, or make the account.",
        )
    return account


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _nobody() -> Account:
    return Account("nobody", 65534, 65534)


def _create() -> None:
    """Make the system user; a system that does not allow it has the fallbacks."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return
    subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", "--comment", "Strongroom embedded database", NAME],
        check=False, capture_output=True, timeout=30,
    )  # fmt: skip
