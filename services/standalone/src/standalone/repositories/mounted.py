"""Backups as a mounted file system: between what FUSE asks and what a repository answers."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from common.errors import Conflict, Error, NotFound, Unavailable
from common.repository.browsing.filesystem import FileSystem
from common.repository.entry import Entry, EntryType

T = TypeVar("T")
KINDS = {
    EntryType.FILE: stat.S_IFREG,
    EntryType.HARDLINK: stat.S_IFREG,
    EntryType.DIRECTORY: stat.S_IFDIR,
    EntryType.SYMLINK: stat.S_IFLNK,
    EntryType.FIFO: stat.S_IFIFO,
    EntryType.CHARACTER: stat.S_IFCHR,
    EntryType.BLOCK: stat.S_IFBLK,
}
_BLOCK = 512


class Answers:
    """What FUSE calls, by the names that it has for it; paths begin with a slash."""

    use_ns = True

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self.mounted = False

    def init(self, path: str) -> None:
        """It is mounted."""
        del path
        self.mounted = True

    def getattr(self, path: str, file: int | None = None) -> dict[str, int]:
        """As of ``stat``, times in nanoseconds."""
        del file
        entry = self._stat(path)
        size = len(entry.target) if entry.type is EntryType.SYMLINK else entry.size
        return {
            "st_mode": KINDS[entry.type] | entry.mode,
            "st_nlink": 1,
            "st_uid": entry.uid,
            "st_gid": entry.gid,
            "st_size": size,
            "st_blocks": -(-entry.size // _BLOCK),
            "st_rdev": os.makedev(*entry.device),
            **dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), entry.mtime_ns),
        }

    def readdir(self, path: str, file: int) -> Iterator[str]:
        """The names in a folder."""
        del file
        names = _answer(lambda: list(self._files.names(_inside(path))))
        yield from (".", "..", *map(os.fsdecode, names))

    def readlink(self, path: str) -> str:
        """Where a symlink leads."""
        return os.fsdecode(self._stat(path).target)

    def read(self, path: str, size: int, offset: int, file: int) -> bytes:
        """A part of a file."""
        del file
        return _answer(lambda: self._files.read(_inside(path), offset, size))

    def listxattr(self, path: str) -> list[str]:
        """The names of its extended attributes."""
        return [os.fsdecode(name) for name, _ in self._stat(path).xattrs]

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        """One of them."""
        del position
        for found, value in self._stat(path).xattrs:
            if found == os.fsencode(name):
                return value
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))

    def _stat(self, path: str) -> Entry:
        return _answer(lambda: self._files.stat(_inside(path)))


def show(
    fuse: ModuleType, files: FileSystem, mountpoint: Path, *, name: str, for_others: bool
) -> None:
    """Show the files in the folder ``mountpoint`` until it is unmounted.

    Raises:
        NotFound: there is no such folder.
        Conflict: it is not empty, or cannot be mounted on.
    """
    if not mountpoint.is_dir():
        raise NotFound(f"{mountpoint} is no folder.", remedy="Make it first.")
    if any(mountpoint.iterdir()):
        raise Conflict(f"{mountpoint} is not empty.", remedy="Name an empty folder, or unmount it.")
    answers = Answers(files)
    try:
        fuse.FUSE(
            answers,
            str(mountpoint.resolve()),
            foreground=True,
            nothreads=True,
            ro=True,
            nosuid=True,
            nodev=True,
            allow_other=for_others,
            fsname=name,
            subtype="strongroom",
        )
    except RuntimeError as error:
        if answers.mounted:
            return  # until a signal: newer versions of libfuse say so
        raise Conflict(
            f"{mountpoint} could not be mounted.",
            remedy="See the message before this; unmount what is there: umount MOUNTPOINT.",
        ) from error


def library() -> ModuleType:
    """What mounts file systems.

    Raises:
        Unavailable: this machine cannot.
    """
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise Unavailable(
            "This machine has no FUSE: /dev/fuse is missing or closed to this user.",
            remedy="Load it (modprobe fuse), or give the container the device.",
        )
    try:
        return import_module("mfusepy")  # optional, and it looks for libfuse at once
    except ImportError as error:
        raise Unavailable(
            "Mounting needs the package mfusepy.",
            remedy="Install it where strongroom is: pip install mfusepy.",
        ) from error
    except OSError as error:
        raise Unavailable(
            "Mounting needs the library libfuse.", remedy="Install it: apt install fuse3."
        ) from error


def _inside(path: str) -> bytes:
    return os.fsencode(path).strip(b"/")


def _answer(ask: Callable[[], T]) -> T:
    """What a system understands: a number for each thing that can go wrong."""
    try:
        return ask()
    except NotFound as error:
        raise OSError(errno.ENOENT, error.message) from error
    except Error as error:
        raise OSError(errno.EIO, error.message) from error
