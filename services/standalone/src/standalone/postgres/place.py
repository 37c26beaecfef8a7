"""Where the server keeps its files and its socket.

Without root everything stands in the cluster's home. As root the home is closed to the server's
account, and no parent folder's mode is ever widened: the server's folder is then made below a
shelter that everybody may pass through, and the home has a link to it.
"""

import hashlib
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from common.errors import Conflict, Invalid, Unavailable
from standalone.postgres import account as accounts
from standalone.postgres.account import Account

SOCKET = ".s.PGSQL.65535"
LONGEST_SOCKET = 107  # bytes of sockaddr_un.sun_path without its final zero
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+@=-]+")  # a comma would separate two hosts in a URL


@dataclass(frozen=True, slots=True)
class Place:
    """The server's folder, its socket's folder, and the account that both belong to."""

    server: Path
    socket: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.server / "data"


def locate(home: Path, shelter: Path, account: str = "", *, create_account: bool) -> Place:
    """Find the server's place, or make it at the first start, then for ``account``."""
    link = home / "server"
    if not link.exists():
        _make(link, shelter, accounts.choose(account, create=create_account))
    server = link.resolve()
    owner = accounts.of_owner(server)
    return Place(server, _socket_folder(server, owner), owner)


def claim(place: Place, home: Path) -> None:
    """Note in the server's folder which home it belongs to: a copied home has a link to it too.

    Raises:
        Conflict: that is another one.
    """
    if place.account is None:
        return
    note = place.server / "home"
    link = note / "server"
    if link.exists() and link.samefile(place.server) and not note.samefile(home):
        raise Conflict(
            f"{home} is a copy of {note.readlink()}, whose database it would use as well.",
            remedy="Start that one, or move it away if this one is to take its place.",
        )
    note.unlink(missing_ok=True)
    note.symlink_to(home)


def _make(link: Path, shelter: Path, account: Account | None) -> None:
    if account is None:
        link.mkdir(mode=0o700, exist_ok=True)
        return
    server = _cluster_below(shelter)
    account.own(server)
    _require_passage(server, account)
    link.unlink(missing_ok=True)  # a link whose cluster was removed
    link.symlink_to(server)


def _cluster_below(shelter: Path) -> Path:
    if not shelter.is_absolute():
        raise Invalid(
            f"STRONGROOM_POSTGRES_DIR is {shelter}: the path does not begin at /.",
            remedy="Write the whole path.",
        )
    clusters = shelter / "clusters"
    server = clusters / secrets.token_hex(6)
    try:
        for folder in (shelter, clusters):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(0o711)
        server.mkdir(mode=0o700)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise Invalid(
            f"No folder can be made in {shelter}, which STRONGROOM_POSTGRES_DIR names.",
            remedy="Name a folder on a local disk.",
        ) from error
    return server


def _require_passage(server: Path, account: Account) -> None:
    """Every folder above ``server`` must let the account through."""
    closed = [folder for folder in server.parents if not folder.stat().st_mode & 0o001]
    if closed:
        server.rmdir()
        raise Unavailable(
            f"The embedded database runs as '{account.name}', which may not pass {closed[-1]}.",
            remedy=f"Allow it with: chmod o+x {closed[-1]}",
        )


def _socket_folder(server: Path, account: Account | None) -> Path:
    """A folder for the socket: the server's own, or a short one where that path is too long."""
    own = server / "run"
    plain = PLAIN_PATH.fullmatch(str(own)) is not None
    if plain and len(os.fsencode(own / SOCKET)) <= LONGEST_SOCKET:
        folder = own
    else:
        key = hashlib.sha256(os.fsencode(server)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"strongroom-{key}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None and folder.stat().st_uid == 0:
        account.own(folder)
    _require_owner(folder, account)
    return folder


def _require_owner(folder: Path, account: Account | None) -> None:
    """A folder in a shared place must not have been made by somebody else beforehand."""
    status = folder.lstat()
    expected = os.geteuid() if account is None else account.uid
    if folder.is_symlink() or status.st_uid != expected or status.st_mode & 0o077:
        raise Unavailable(
            f"{folder} is not a private folder of the embedded database.",
            remedy="Remove it and start again.",
        )
