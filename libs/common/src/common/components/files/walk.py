"""Reads a tree of files into a sink: by folder, in order, never following a symlink."""

import os
import stat
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from common.components.files.metadata import describe
from common.components.files.patterns import Patterns
from common.components.names import show
from common.errors import CaptureFailed
from common.repository.entry import Entry, EntryType
from common.repository.tree import Sink

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Folder:
    """A folder that is being read. ``entry`` waits until it is known that it is wanted."""

    file: int
    path: bytes
    names: list[bytes]
    entry: Entry | None


@dataclass(slots=True)
class Inode:
    """A file with several names of which the first is stored; ``left`` names are still to come."""

    path: bytes
    left: int
    identity: tuple[int, int, int]


class Walk:
    """Reads one root after the other. Paths are those from ``/``, without the first slash.

    Memory is one folder's names on each level, and the hard links whose other names are to come.
    """

    def __init__(self, sink: Sink, patterns: Patterns, devices: Sequence[int] | None) -> None:
        self._sink = sink
        self._patterns = patterns
        self._devices = devices
        self._root = b""
        self._stack: list[Folder] = []
        self._links: dict[tuple[int, int], Inode] = {}
        self.counts: Counter[str] = Counter()

    def run(self, root: bytes) -> None:
        """Read ``root`` and everything in it.

        Raises:
            CaptureFailed: the root itself is gone or cannot be read.
        """
        self._root = root
        where = b"/" + root
        try:
            status = os.lstat(where)
            entry = describe(root, where, status)
            if entry and entry.type is EntryType.DIRECTORY:
                self._push(os.open(where, OPEN_FOLDER), entry)
            elif entry and entry.type is EntryType.FILE:
                os.close(os.open(where, OPEN_FILE))
        except OSError as error:
            raise CaptureFailed(
                f"{show(where)} cannot be read: {error.strerror}.",
                remedy="Correct the path, or the permissions of the account that backs up.",
            ) from error
        if entry is None or entry.type is not EntryType.DIRECTORY:
            self._take(entry, root, status, where)
            if entry and entry.type is EntryType.SYMLINK:
                self._sink.warn(f"{show(where)} is a symlink: what it leads to is not backed up.")
        elif self._patterns.everything:
            self._announce()
        try:
            while self._stack:
                self._step(self._stack[-1])
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the folders that are open."""
        while self._stack:
            os.close(self._stack.pop().file)

    def _push(self, file: int, entry: Entry) -> None:
        try:
            names = sorted((os.fsencode(name) for name in os.listdir(file)), reverse=True)
        except OSError:
            os.close(file)
            raise
        self._stack.append(Folder(file, entry.path, names, entry))

    def _step(self, folder: Folder) -> None:
        if not folder.names:
            os.close(self._stack.pop().file)
            return
        name = folder.names.pop()
        path = folder.path + b"/" + name if folder.path else name
        where = b"/proc/self/fd/%d/%s" % (folder.file, name)
        try:
            status = os.lstat(where)
            relative = path[len(self._root) :].lstrip(b"/")
            is_folder = stat.S_ISDIR(status.st_mode)
            if self._patterns.excluded(relative, folder=is_folder):
                self.counts["excluded"] += 1
                return
            wanted = self._patterns.included(relative, folder=is_folder)
            if not wanted and not is_folder:
                return
            entry = describe(path, where, status)
        except OSError as error:
            self._unreadable(path, error)
            return
        if is_folder and entry:
            self._enter(entry, where, status, wanted=wanted)
        else:
            self._announce()
            self._take(entry, path, status, where)

    def _enter(self, entry: Entry, where: bytes, status: os.stat_result, *, wanted: bool) -> None:
        if self._devices is not None and status.st_dev not in self._devices:
            self._announce()
            self._add(entry)  # a mount point, without what is mounted on it
            return
        try:
            self._push(os.open(where, OPEN_FOLDER), entry)
        except OSError as error:
            self._announce()
            self._add(entry)
            self._unreadable(entry.path, error)
            return
        if wanted:
            self._announce()

    def _announce(self) -> None:
        """Store the folders that lead here."""
        for folder in self._stack:
            if folder.entry:
                self._add(folder.entry)
                folder.entry = None

    def _take(self, entry: Entry | None, path: bytes, status: os.stat_result, where: bytes) -> None:
        if entry is None:
            self._sink.warn(f"{show(path)} is a socket and was left out.")
            return
        if status.st_nlink > 1:
            if first := self._first_name(path, status):
                self._add(replace(entry, type=EntryType.HARDLINK, target=first, xattrs=(), size=0))
                return
            if not self._readable(entry, where):
                return
            identity = (status.st_mtime_ns, status.st_size, status.st_mode)
            inode = Inode(path, status.st_nlink - 1, identity)
            self._links[status.st_dev, status.st_ino] = inode
        self._add(entry)

    def _first_name(self, path: bytes, status: os.stat_result) -> bytes | None:
        key = (status.st_dev, status.st_ino)
        inode = self._links.get(key)
        # A number is given again when the file it was of is gone.
        identity = (status.st_mtime_ns, status.st_size, status.st_mode)
        if inode is None or inode.identity != identity or inode.path == path:
            return None
        inode.left -= 1
        if not inode.left:
            del self._links[key]
        return inode.path

    def _readable(self, entry: Entry, where: bytes) -> bool:
        """Whether other names can lean on this one: the writer leaves out what it cannot open."""
        if entry.type is EntryType.FILE:
            try:
                os.close(os.open(where, OPEN_FILE))
            except OSError as error:
                self._unreadable(entry.path, error)
                return False
        return True

    def _add(self, entry: Entry) -> None:
        self.counts[entry.type.value] += 1
        if entry.type is EntryType.FILE:
            self._sink.add_file(entry, b"/" + entry.path)
        else:
            self._sink.add(entry)

    def _unreadable(self, path: bytes, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            self._sink.warn(f"{show(path)} vanished while the backup ran.")
        else:
            self._sink.warn(f"{show(path)} could not be read: {error.strerror}.")


def ancestors(root: bytes) -> list[Entry]:
    """The folders that lead to a root, as they are: a symlink among them is followed."""
    parts = root.split(b"/")
    found = []
    for depth in range(1, len(parts)):
        path = b"/".join(parts[:depth])
        real = os.path.realpath(b"/" + path)
        with suppress(OSError):
            entry = describe(path, real, os.stat(real))
            if entry and entry.type is EntryType.DIRECTORY:
                found.append(entry)
    return found
