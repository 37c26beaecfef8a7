"""Reads a tree of files into a sink: by folder, in order, never following a symlink."""

import os
import stat
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from common.components.files.links import Links
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
    """A folder that is being read. ``waiting`` until it is known whether it is wanted."""

    file: int
    path: bytes
    names: list[bytes]
    waiting: Entry | None


@dataclass(frozen=True, slots=True)
class Found:
    """Something on the disk, and its entry; a socket has none.

    ``where`` leads through the open folder that holds it, so that nobody can turn it elsewhere.
    """

    path: bytes
    where: bytes
    status: os.stat_result
    entry: Entry | None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, itself and not by a symlink."""
        return stat.S_ISDIR(self.status.st_mode)


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
        self._links = Links()
        self.counts: Counter[str] = Counter()

    def run(self, root: bytes) -> None:
        """Read ``root`` and everything in it.

        Raises:
            CaptureFailed: the root itself is gone or cannot be read.
        """
        self._root, where = root, b"/" + root
        try:
            status = os.lstat(where)
            found = Found(root, where, status, describe(root, where, status))
            if found.is_folder and found.entry:
                self._push(os.open(where, OPEN_FOLDER), found.entry)
            elif stat.S_ISREG(status.st_mode):
                os.close(os.open(where, OPEN_FILE))
        except OSError as error:
            raise CaptureFailed(
                f"{show(where)} cannot be read: {error.strerror}.",
                remedy="Correct the path, or the permissions of the account that backs up.",
            ) from error
        try:
            self._start(found)
            while self._stack:
                self._step(self._stack[-1])
        finally:
            while self._stack:
                os.close(self._stack.pop().file)

    def _start(self, root: Found) -> None:
        if not root.is_folder:
            self._take(root)
        elif self._patterns.everything:
            self._announce()
        if root.entry and root.entry.type is EntryType.SYMLINK:
            self._sink.warn(f"{show(root.where)} is a symlink: what it leads to is not backed up.")

    def _push(self, file: int, entry: Entry) -> None:
        try:
            names = sorted((os.fsencode(name) for name in os.listdir(file)), reverse=True)
        except OSError:
            os.close(file)
            raise
        self._stack.append(Folder(file, entry.path, names, entry))

    def _step(self, folder: Folder) -> None:
        """Look at the next name in a folder."""
        if not folder.names:
            os.close(self._stack.pop().file)
            return
        name = folder.names.pop()
        path = folder.path + b"/" + name if folder.path else name
        where = b"/proc/self/fd/%d/%s" % (folder.file, name)
        try:
            status = os.lstat(where)
            relative, is_folder = self._relative(path), stat.S_ISDIR(status.st_mode)
            if self._patterns.excluded(relative, folder=is_folder):
                self.counts["excluded"] += 1
                return
            wanted = self._patterns.included(relative, folder=is_folder)
            if not wanted and not is_folder:
                return
            found = Found(path, where, status, describe(path, where, status))
        except OSError as error:
            self._unreadable(path, error)
            return
        if is_folder and found.entry:
            self._enter(found, found.entry, wanted=wanted)
        else:
            self._announce()
            self._take(found)

    def _relative(self, path: bytes) -> bytes:
        return path[len(self._root) :].lstrip(b"/")

    def _enter(self, found: Found, entry: Entry, *, wanted: bool) -> None:
        if self._devices is not None and found.status.st_dev not in self._devices:
            self._announce()
            self._add(entry)  # a mount point, without what is mounted on it
            return
        try:
            self._push(os.open(found.where, OPEN_FOLDER), entry)
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
            if folder.waiting:
                self._add(folder.waiting)
                folder.waiting = None

    def _take(self, found: Found) -> None:
        """Store what is no folder."""
        if found.entry is None:
            self._sink.warn(f"{show(found.path)} is a socket and was left out.")
            return
        if found.status.st_nlink > 1:
            first = self._links.first(found.path, found.status)
            if first is not None:
                kind = EntryType.HARDLINK
                self._add(replace(found.entry, type=kind, target=first, xattrs=(), size=0))
                return
            if not self._readable(found):
                return
            self._links.remember(found.path, found.status)
        self._add(found.entry, found.where)

    def _readable(self, found: Found) -> bool:
        """Whether other names can lean on this one: the writer leaves out what it cannot open."""
        if stat.S_ISREG(found.status.st_mode):
            try:
                os.close(os.open(found.where, OPEN_FILE))
            except OSError as error:
                self._unreadable(found.path, error)
                return False
        return True

    def _add(self, entry: Entry, where: bytes = b"") -> None:
        self.counts[entry.type.value] += 1
        if entry.type is EntryType.FILE:
            self._sink.add_file(entry, where)
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
