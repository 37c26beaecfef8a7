"""Reads a tree of files: by folder, in order, never following a symlink."""

import os
import stat
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from common.components.files.walking.collecting import Collector, Passer
from common.components.files.walking.patterns import Patterns
from common.components.files.walking.roots import tell_symlink
from common.components.files.walking.seen import (
    OPEN_FILE,
    Listing,
    Look,
    Seen,
    Taker,
    is_plain,
    list_folder,
)
from common.components.names import show
from common.errors import CaptureFailed, Unavailable
from common.processors import processors
from common.repository.entry import MAX_PATH
from common.repository.found import OpenFolder

if TYPE_CHECKING:
    from common.components.files.walking.scouting import Scout

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_PARENT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_LONGEST_NAME = 4096  # of what any call takes
LONG = 40_000
"""After so many files below a root a walk counts as long: less is not worth another process."""

_ROW = 256
"""So many files of a folder are stored at once."""


class Folder:
    """A folder that is being read. ``waiting`` until it is known whether it is wanted."""

    __slots__ = ("listing", "open", "path", "waiting")

    def __init__(self, opened: OpenFolder, path: bytes, listing: Listing, seen: Seen) -> None:
        self.open = opened
        self.path = path
        self.listing = listing
        self.waiting: Seen | None = seen


class Walk:
    """Reads one root after the other. Paths are those from ``/``, without the first slash.

    Memory is one folder's names on each level, some of them with states, and the hard links whose
    other names are to come. A walk that turns out long is ``shared`` with a process that goes ahead
    of it.
    """

    def __init__(
        self,
        taker: Taker,
        patterns: Patterns,
        devices: Sequence[int] | None,
        *,
        shared: bool = False,
    ) -> None:
        self._taker = taker
        self._collector = Collector(taker)
        self._patterns = patterns
        self._devices = devices
        self._shared = shared and processors() > 1
        self._scout: Scout | None = None
        self._look: Look = _look
        self._root, self._long = b"", LONG
        self._stack: list[Folder] = []

    @property
    def counts(self) -> Counter[str]:
        """How many of each kind were found so far."""
        return self._collector.counts

    def run(self, root: bytes) -> None:
        """Read ``root`` and everything in it.

        Raises:
            CaptureFailed: the root itself is gone or cannot be read.
        """
        self._root, self._long = root, self._collector.files + LONG
        try:
            self._read(self._see_root(root))
        finally:
            self._stack.clear()
            self._part()

    def _read(self, root: Seen) -> None:
        if not self._stack:
            self._collector.add_leaf(root)
        elif self._patterns.everything:
            self._announce()
        if stat.S_ISLNK(root.status.st_mode):
            tell_symlink(self._taker.warn, root.path)
        while self._stack:
            self._step(self._stack[-1])

    def _see_root(self, root: bytes) -> Seen:
        """The root, of which it is certain that it can be read; entered if it is a folder."""
        parent, _, name = root.rpartition(b"/")
        try:
            folder = OpenFolder(os.open(b"/" + parent, OPEN_PARENT))
            seen = Seen.now(root, folder, name or b".")
            if stat.S_ISDIR(seen.status.st_mode):
                self._push(seen)
            elif stat.S_ISREG(seen.status.st_mode):
                os.close(os.open(seen.name, OPEN_FILE, dir_fd=folder.descriptor))
        except OSError as error:
            raise CaptureFailed(
                f"{show(b'/' + root)} cannot be read: {error.strerror}.",
                remedy="Correct the path, or the permissions of the account that backs up.",
            ) from error
        return seen

    def _push(self, seen: Seen) -> None:
        descriptor = os.open(seen.name, OPEN_FOLDER, dir_fd=seen.folder.descriptor)
        folder = OpenFolder(descriptor)
        if self._shared and self._collector.files >= self._long:
            self._share(seen)
        self._stack.append(Folder(folder, seen.path, self._look(seen.path, descriptor), seen))

    def _share(self, seen: Seen) -> None:
        """Let another process go ahead, from this folder on."""
        from common.components.files.walking.scouting import Scout  # noqa: PLC0415 - few walks are long

        self._shared = False
        with suppress(Unavailable):  # it goes without
            self._scout = Scout(partial(self._go_ahead, seen))
            self._look = self._scout.look

    def _part(self) -> None:
        if self._scout is not None:
            self._scout.close()
            self._scout, self._look, self._shared = None, _look, True

    def _go_ahead(self, seen: Seen, look: Look) -> None:
        """Go on from this folder in the process of a scout, where nothing is stored."""
        self._collector, self._look = Passer(self._taker), look
        self._push(seen)
        while self._stack:
            self._step(self._stack[-1])

    def _step(self, folder: Folder) -> None:
        """Look at the names in a folder, until one of them is entered or none is left."""
        opened, depth = folder.open, len(self._stack)
        names, states = folder.listing
        around = folder.path + b"/" if folder.path else b""
        choosing = self._patterns.chosen or len(around) + _LONGEST_NAME > MAX_PATH
        row: list[Seen] = []
        while names:
            name = names.pop()
            path = around + name
            state = states.pop() if states else b""
            try:
                seen = Seen(path, opened, name, state) if state else Seen.now(path, opened, name)
            except OSError as error:
                self._collector.unreadable(path, error)
                continue
            is_folder = not state and stat.S_ISDIR(seen.status.st_mode)
            wanted = self._wants(path, folder=is_folder) if choosing else True
            if wanted is None:
                continue
            if wanted and (state or is_plain(seen.status)):  # by far the most
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
                self._collector.add_leaf(seen)
        self._add_row(row)
        self._stack.pop()

    def _wants(self, path: bytes, *, folder: bool) -> bool | None:
        """Whether this is wanted; None if it stays out with all that is in it: as it was asked for,
        or with a word.
        """
        relative = path[len(self._root) :].lstrip(b"/")
        if self._patterns.excluded(relative, folder=folder):
            self._collector.exclude()
            return None
        if len(path) > MAX_PATH:
            self._collector.warn(
                f"{show(path)} is left out: a path of {len(path)} bytes is longer than {MAX_PATH}."
            )
            return None
        return self._patterns.included(relative, folder=folder)

    def _enter(self, seen: Seen, *, wanted: bool) -> None:
        if self._devices is not None and seen.status.st_dev not in self._devices:
            self._announce()
            self._collector.add(seen)  # a mount point, without what is mounted on it
            return
        try:
            self._push(seen)
        except OSError as error:
            self._announce()
            self._collector.add(seen)
            self._collector.unreadable(seen.path, error)
            return
        if wanted:
            self._announce()

    def _announce(self) -> None:
        """Store the folders that lead here."""
        if self._stack and not self._stack[-1].waiting:
            return  # nor do those above it wait
        for folder in self._stack:
            if folder.waiting:
                self._collector.add(folder.waiting)
                folder.waiting = None

    def _add_row(self, row: list[Seen]) -> list[Seen]:
        """Store files of one name each; where those go that come next."""
        if row:
            self._announce()
            self._collector.add_row(row)
        return []


def _look(path: bytes, descriptor: int) -> Listing:
    del path
    return list_folder(descriptor)
