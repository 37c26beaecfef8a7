"""The data directory of one machine's Strongroom: what is in it, its secrets, its lock."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from common.errors import Conflict, Forbidden, Invalid, NoSpace
from common.storage.folders import sync_folder
from standalone import secretfile

MARKER = "strongroom"
README = (
    "This folder belongs to Strongroom (strongroom up --data). Nothing in it is to be edited.\n"
)
LEAST_SPACE = 256 << 20


class DataDirectory:
    """A private folder (0700) that holds everything; secrets are made once, in files of 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.postgres = self.path / "postgres"
        self.repository = self.path / "repository"
        self.second_copy = self.path / "second-copy"
        self.cache = self.path / "cache"
        self.restores = self.path / "restores"
        self.audit_log = self.path / "audit" / "audit.jsonl"
        self.log = self.path / "logs" / "strongroom.log"
        self.components = self.path / "components.toml"
        self._secrets = self.path / "secrets"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make or take the folder, and keep every other process out of it meanwhile.

        Raises:
            Invalid: it is a file, or a folder with something else in it.
            Forbidden: it cannot be made or written, or belongs to somebody else.
            NoSpace: its disk is as good as full.
            Conflict: another process uses it.
        """
        try:
            self._take()
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refusal(self.path, error) from error
        try:
            _lock(lock, self.path)
            yield
        finally:
            os.close(lock)

    def _take(self) -> None:
        if not self.path.exists():
            self.path.mkdir(mode=0o700, parents=True)
        self._require_ours()
        self.path.chmod(0o700)
        if not (self.path / MARKER).exists():
            secretfile.write(self.path / MARKER, README)
        free = shutil.disk_usage(self.path).free
        if free < LEAST_SPACE:
            raise NoSpace(
                f"Only {free >> 20} MB are free on the disk of {self.path}; Strongroom does not"
                f" start with less than {LEAST_SPACE >> 20} MB.",
                remedy="Free some space, or choose a data directory on another disk (--data).",
            )
        for folder in (self._secrets, self.restores, self.audit_log.parent, self.log.parent):
            folder.mkdir(mode=0o700, exist_ok=True)

    def _require_ours(self) -> None:
        if not self.path.is_dir():
            raise Invalid(
                f"{self.path} is a file, not a folder.", remedy="Name a folder with --data."
            )
        if self.path.stat().st_uid != os.geteuid():
            raise Forbidden(
                f"{self.path} belongs to another user.",
                remedy=f"Run as its owner, or name another with --data (you are {os.geteuid()}).",
            )
        if not (self.path / MARKER).exists() and any(self.path.iterdir()):
            raise Invalid(
                f"{self.path} is not empty and no data directory of Strongroom.",
                remedy="Name a new or empty folder with --data.",
            )

    def secret(self, name: str) -> SecretStr:
        """The secret ``name``, made at random at the first time."""
        return SecretStr(secretfile.read_or_make(self._secrets / name))

    def write_secret(self, name: str, value: str, *, made_at: float | None = None) -> None:
        """Store the secret ``name`` in place of any before it.

        ``made_at``: when it was made, in seconds since 1970, where that is not now.
        """
        secretfile.write(self._secrets / name, value)
        if made_at is not None:
            os.utime(self._secrets / name, (made_at, made_at))

    def has_secret(self, name: str) -> bool:
        """Whether the secret ``name`` was made."""
        return (self._secrets / name).exists()

    def secret_made_at(self, name: str) -> float:
        """When the secret ``name`` was made, in seconds since 1970."""
        return (self._secrets / name).stat().st_mtime

    def forget_secret(self, name: str) -> None:
        """Remove the secret ``name``."""
        (self._secrets / name).unlink(missing_ok=True)
        sync_folder(self._secrets)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(
            f"Another Strongroom already runs on {path}.",
            remedy="Use that one, stop it first, or name another folder with --data.",
        ) from error


def _refusal(path: Path, error: OSError) -> Forbidden | NoSpace | Invalid:
    reason = (error.strerror or "unknown error").lower()
    if isinstance(error, PermissionError):
        return Forbidden(
            f"The data directory {path} cannot be used: {reason} ({error.filename}).",
            remedy="Correct its permissions, or name another folder with --data.",
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            f"The disk of {path} is full.", remedy="Free some space, or use another with --data."
        )
    return Invalid(
        f"The data directory {path} cannot be used: {reason}.",
        remedy="Name a folder on a local, writable disk with --data.",
    )
