"""Reads a tree of files: by folder, in order, never following a symlink."""

import os
import stat
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from common.components.files.links import Links
from common.components.files.metadata import TYPES, describe
from common.components.files.patterns import Patterns
from common.components.names import show
from common.errors import CaptureFailed
from common.repository.entry import MAX_PATH, Entry, EntryType
from common.repository.found import Found, OpenFolder

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_PARENT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_NAME = 4096  # of what any call takes
_ROW = 256
"""So many files of a folder are stored at once."""

_KINDS = {form: kind.value for form, kind in TYPES.items()}


class Taker(Protocol):
    """Takes what a walk finds: a sink does."""

    def add(self, entry: Entry) -> None: ...

    def add_found(self, found: Sequence[Found]) -> None: ...

    def warn(self, message: str) -> None: ...


class Folder:
    """A folder that is being read. ``waiting`` until it is known whether it is wanted."""

    __slots__ = ("names", "open", "path", "waiting")

    def __init__(self, opened: OpenFolder, path: bytes, names: list[bytes], seen: "Seen") -> None:
        self.open = opened
        self.path = path
        self.names = names
        self.waiting: Seen | None = seen


class Seen:
    """Something on the disk, by its name in the open folder that holds it."""

    __slots__ = ("folder", "name", "path", "status")

    def __init__(
        self, path: bytes, folder: OpenFolder, name: bytes, status: os.stat_result
    ) -> None:
        self.path = path
        self.folder = folder
        self.name = name
        self.status = status

    def describe(self) -> Entry:
        """The entry, through the open folder, so that nobody can turn it elsewhere."""
        where = b"/proc/self/fd/%d/%s" % (self.folder.descriptor, self.name)
        return describe(self.path, where, self.status)


class Walk:
    """Reads one root after the other. Paths are those from ``/``, without the first slash.

    Memory is one folder's names on each level, and the hard links whose other names are to come.
    """

    def __init__(self, taker: Taker, patterns: Patterns, devices: Sequence[int] | None) -> None:
        self._taker = taker
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
        self._root = root
        try:
            seen = self._see_root(root)
        except OSError as error:
            raise CaptureFailed(
                f"{show(b'/' + root)} cannot be read: {error.strerror}.",
                remedy="Correct the path, or the permissions of the account that backs up.",
            ) from error
        try:
            if not self._stack:
                self._take(seen)
            elif self._patterns.everything:
                self._announce()
            if stat.S_ISLNK(seen.status.st_mode):
                _tell_symlink(self._taker, root)
            while self._stack:
                self._step(self._stack[-1])
        finally:
            self._stack.clear()

    def _see_root(self, root: bytes) -> Seen:
        """The root, of which it is certain that it can be read; entered if it is a folder."""
        parent, _, name = root.rpartition(b"/")
        folder = OpenFolder(os.open(b"/" + parent, OPEN_PARENT))
        name = name or b"."
        seen = Seen(root, folder, name, os.lstat(name, dir_fd=folder.descriptor))
        if stat.S_ISDIR(seen.status.st_mode):
            self._push(seen)
        elif stat.S_ISREG(seen.status.st_mode):
            os.close(os.open(seen.name, OPEN_FILE, dir_fd=folder.descriptor))
        return seen

    def _push(self, seen: Seen) -> None:
        descriptor = os.open(seen.name, OPEN_FOLDER, dir_fd=seen.folder.descriptor)
        folder = OpenFolder(descriptor)
        # By a path, because a descriptor gives texts, which would have to be encoded again.
        names = sorted(os.listdir(b"/proc/self/fd/%d" % descriptor), reverse=True)
        self._stack.append(Folder(folder, seen.path, names, seen))

    def _step(self, folder: Folder) -> None:
        """Look at the names in a folder, until one of them is entered or none is left."""
        opened, names, depth = folder.open, folder.names, len(self._stack)
        around = folder.path + b"/" if folder.path else b""
        choosing = self._patterns.chosen or len(around) + _LONGEST_NAME > MAX_PATH
        descriptor = opened.descriptor
        row: list[Seen] = []
        while names:
            name = names.pop()
            path = around + name
            try:
                status = os.lstat(name, dir_fd=descriptor)
            except OSError as error:
                self._unreadable(path, error)
                continue
            seen = Seen(path, opened, name, status)
            mode = status.st_mode
            is_folder = stat.S_ISDIR(mode)
            wanted = True
            if choosing:
                relative = self._relative(path)
                if self._leaves_out(path, relative, folder=is_folder):
                    continue
                wanted = self._patterns.included(relative, folder=is_folder)
            if wanted and stat.S_ISREG(mode) and status.st_nlink == 1:  # by far the most
                row.append(seen)
                if len(row) == _ROW:
                    row = self._add_row(row)
                continue
            row = self._add_row(row)
            if is_folder:
                self._enter(seen, wanted=wanted)
                if len(self._stack) > depth:
                    return
            elif wanted:
                if folder.waiting is not None:
                    self._announce()
                self._take(seen)
        self._add_row(row)
        self._stack.pop()

    def _leaves_out(self, path: bytes, relative: bytes, *, folder: bool) -> bool:
        """Whether this stays out, with all that is in it: as it was asked for, or with a word."""
        if self._patterns.excluded(relative, folder=folder):
            self.counts["excluded"] += 1
            return True
        if len(path) > MAX_PATH:
            self._taker.warn(
                f"{show(path)} is left out: a path of {len(path)} bytes is longer than {MAX_PATH}."
            )
            return True
        return False

    def _relative(self, path: bytes) -> bytes:
        return path[len(self._root) :].lstrip(b"/")

    def _enter(self, seen: Seen, *, wanted: bool) -> None:
        if self._devices is not None and seen.status.st_dev not in self._devices:
            self._announce()
            self._add(seen)  # a mount point, without what is mounted on it
            return
        try:
            self._push(seen)
        except OSError as error:
            self._announce()
            self._add(seen)
            self._unreadable(seen.path, error)
            return
        if wanted:
            self._announce()

    def _announce(self) -> None:
        """Store the folders that lead here."""
        if self._stack and not self._stack[-1].waiting:
            return  # nor do those above it wait
        for folder in self._stack:
            if folder.waiting:
                self._add(folder.waiting)
                folder.waiting = None

    def _take(self, seen: Seen) -> None:
        """Store what is no folder."""
        mode = seen.status.st_mode
        if stat.S_ISSOCK(mode):
            self.counts["socket"] += 1  # whose program makes it anew: no word each night
            return
        if seen.status.st_nlink > 1:
            first = self._links.first(seen.path, seen.status)
            if first is not None:
                self._add_link(seen, first)
                return
            if not self._readable(seen):
                return
            self._links.remember(seen.path, seen.status)
        self._add(seen)

    def _add_link(self, seen: Seen, first: bytes) -> None:
        try:
            entry = seen.describe()
        except OSError as error:
            self._unreadable(seen.path, error)
            return
        self.counts[EntryType.HARDLINK.value] += 1
        self._taker.add(replace(entry, type=EntryType.HARDLINK, target=first, xattrs=(), size=0))

    def _readable(self, seen: Seen) -> bool:
        """Whether other names can lean on this one: the writer leaves out what it cannot open."""
        if stat.S_ISREG(seen.status.st_mode):
            try:
                os.close(os.open(seen.name, OPEN_FILE, dir_fd=seen.folder.descriptor))
            except OSError as error:
                self._unreadable(seen.path, error)
                return False
        return True

    def _add(self, seen: Seen) -> None:
        self.counts[_KINDS[stat.S_IFMT(seen.status.st_mode)]] += 1
        self._taker.add_found([seen])

    def _add_row(self, row: list[Seen]) -> list[Seen]:
        """Store files of one name each; where those go that come next."""
        if row:
            self._announce()
            self.counts[EntryType.FILE.value] += len(row)
            self._taker.add_found(row)
        return []

    def _unreadable(self, path: bytes, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            self._taker.warn(f"{show(path)} vanished while the backup ran.")
        else:
            self._taker.warn(f"{show(path)} could not be read: {error.strerror}.")


def _tell_symlink(taker: Taker, path: bytes) -> None:
    taker.warn(f"{show(b'/' + path)} is a symlink: what it leads to is not backed up.")


def tell_enclosed(taker: Taker, path: bytes, root: bytes) -> None:
    """Say of a path, which by its name is in that root, what reading the root does not give of it.

    Raises:
        CaptureFailed: it lies behind a symlink, which is itself what is kept under that name.
    """
    parts = path.split(b"/")
    for depth in range(root.count(b"/") + 1 if root else 0, len(parts)):
        lead = b"/".join(parts[:depth])
        if os.path.islink(b"/" + lead):
            folder, name = os.path.split(b"/" + path)
            real = os.path.join(os.path.realpath(folder), name)
            raise CaptureFailed(
                f"{show(b'/' + path)} is not in {show(b'/' + root)}:"
                f" {show(b'/' + lead)} is a symlink.",
                remedy=f"Name {show(real)} instead.",
            )
    if os.path.islink(b"/" + path):
        _tell_symlink(taker, path)


def ancestors(root: bytes) -> list[Entry]:
    """The folders that lead to a root, as they are: a symlink among them is followed."""
    parts = root.split(b"/")
    found = []
    for depth in range(1, len(parts)):
        path = b"/".join(parts[:depth])
        real = os.path.realpath(b"/" + path)
        with suppress(OSError):
            entry = describe(path, real, os.stat(real))
            if entry.type is EntryType.DIRECTORY:
                found.append(entry)
    return found
