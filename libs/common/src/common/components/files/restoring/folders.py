"""Opens and makes folders below a base, one part of the path at a time, following no symlink.

So nothing that somebody planted at the target, and nothing that was restored before, can lead a
restore out of it.
"""

import os
import stat
from collections import OrderedDict
from contextlib import suppress

from common.components.files.restoring.trusted import open_trusted
from common.components.names import beneath
from common.openfiles import share_of_open_files

OPEN = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
KEPT_OPEN, OPEN_PART = 128, 6
WORKING_MODE = 0o700
UNFINISHED = WORKING_MODE | stat.S_ISVTX
"""What a folder is made with. Whoever makes one for himself alone has no use for the last bit."""


class Folders:
    """Folders by their path below ``base``, kept open as long as they are among the last used."""

    def __init__(self, base: int) -> None:
        self._bases = {b"": base}
        self._open: OrderedDict[bytes, int] = OrderedDict()
        self._new: set[bytes] = set()
        self._opened_up: dict[bytes, int] = {}
        self._most = share_of_open_files(KEPT_OPEN, OPEN_PART)
        self.disks: dict[int, int] = {}
        """The file systems that folders were opened on, each with an open folder of it."""

        self._see(base)

    def close(self) -> None:
        """Close all, the base too."""
        for file in (*self._open.values(), *self._bases.values(), *self.disks.values()):
            os.close(file)
        self._open.clear()
        self._bases.clear()
        self.disks.clear()

    def is_new(self, path: bytes) -> bool:
        """Whether the folder ``path`` is open and was made here, so that it holds nothing else."""
        return path in self._new

    def trust(self, path: bytes) -> None:
        """Work below the folder ``path``, or what there is of it, wherever trusted symlinks lead.

        It is for the folders above a place that is restored in place: they are no part of the
        backup, and what this machine has there is right.
        """
        while path not in self._bases:
            with suppress(FileNotFoundError):
                self._bases[path] = open_trusted(self._bases[b""], path)
                self._see(self._bases[path])
            path = path.rpartition(b"/")[0]

    def file(self, path: bytes) -> int:
        """The folder ``path``, open; made if need be. It stays open until some more are used."""
        file = self._open.get(path)
        if file is None:
            self.make(path)
            return self._known(path)
        self._open.move_to_end(path)
        return file

    def is_unfinished(self, path: bytes) -> bool:
        """Whether a restore made the folder ``path``, this or an earlier one, and has not given it
        its own metadata.
        """
        status = os.fstat(self.file(path))
        mode = stat.S_IMODE(status.st_mode) & ~stat.S_ISGID  # which it may have from its folder
        return mode == UNFINISHED and status.st_uid == os.geteuid()

    def opened_up(self, path: bytes) -> int | None:
        """The mode that the folder ``path`` had before this account let itself in; told once."""
        return self._opened_up.pop(path, None)

    def parent(self, path: bytes) -> tuple[int, bytes]:
        """The folder that holds ``path``, and the last part of the path."""
        folder, _, name = path.rpartition(b"/")
        return self.file(folder), name

    def make(self, path: bytes) -> bool:
        """Make the folder ``path`` unless it is there; whether it was made.

        Anything else of that name gives way.
        """
        missing, made = [], False
        while path not in self._bases and path not in self._open:
            missing.append(path)
            path = path.rpartition(b"/")[0]
        file = self._known(path)
        for step in reversed(missing):
            file, made = self._enter(file, step)
            self._open[step] = file
            if made:
                self._new.add(step)
            while len(self._open) > self._most:
                old, descriptor = self._open.popitem(last=False)
                self._new.discard(old)
                os.close(descriptor)
        return made

    def lead_to(self, path: bytes) -> list[bytes]:
        """Make the folders that lead to ``path``; those of them that were not there."""
        parts = path.split(b"/")
        folders = [b"/".join(parts[:depth]) for depth in range(1, len(parts))]
        return [folder for folder in folders if self.make(folder)]

    def _known(self, path: bytes) -> int:
        if path in self._bases:
            return self._bases[path]
        self._open.move_to_end(path)
        return self._open[path]

    def _enter(self, parent: int, path: bytes) -> tuple[int, bool]:
        name = path.rpartition(b"/")[2]
        with suppress(FileNotFoundError):
            try:
                return self._existing(parent, name, path), False
            except NotADirectoryError:
                os.unlink(name, dir_fd=parent)
        os.mkdir(name, UNFINISHED, dir_fd=parent)
        file = os.open(name, OPEN, dir_fd=parent)
        # One of somebody else was put in. That gains no more than to have it there before, and it
        # is taken as that. Where a disk gives all to one account it is only looked at more closely.
        return file, os.fstat(file).st_uid == os.geteuid()

    def forget(self, path: bytes) -> None:
        """Close ``path`` and what is in it: something else comes in its place."""
        for name in [name for name in self._open if beneath(name, path)]:
            os.close(self._open.pop(name))
            self._new.discard(name)

    def _existing(self, parent: int, name: bytes, path: bytes) -> int:
        file = os.open(name, OPEN, dir_fd=parent)
        mode = self._see(file)
        if mode & WORKING_MODE != WORKING_MODE and os.geteuid() != 0:
            with suppress(PermissionError):  # another's: what it allows will do, or fail
                os.chmod(f"/proc/self/fd/{file}", mode | WORKING_MODE)
                self._opened_up[path] = mode
        return file

    def _see(self, folder: int) -> int:
        """Note the file system of a folder; gives the folder's mode."""
        status = os.fstat(folder)
        if status.st_dev not in self.disks:
            self.disks[status.st_dev] = os.open(".", READ, dir_fd=folder)
        return stat.S_IMODE(status.st_mode)
