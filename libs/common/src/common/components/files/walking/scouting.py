"""A forked process that goes ahead of a walk: it lists folders and looks at what is in them, so
that two processors share what an unchanged tree costs.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from common.components.files.walking.seen import Listing, Look, is_plain, list_folder
from common.errors import Error
from common.forked import Link, Team
from common.repository.found import EARLIEST, LATEST, pack_state

_MOST = 4096
"""Names of a folder that are told with their states. A larger one is left to the walk itself."""

_SILENCE = 60.0
"""Seconds that the walk waits for a folder, which a slow disk may need; then it goes on alone."""

_FRESH = 1.0
"""Seconds after which a folder is listed anew: the walk may have waited for what it gave before."""

_AT_ONCE = 512
"""So many names are told at once, while the walk has enough to do."""


class _Told(NamedTuple):
    """What is told of a folder; no listing where the walk does better by itself."""

    path: bytes
    identity: tuple[int, int]
    listing: Listing | None
    at: float


class Scout:
    """Goes ahead by ``walk``, in a process of its own, until it is closed or has seen all.

    ``walk`` is given what tells here of each folder that it is used on, and gives the folders in
    it. It must take no lock that a thread of this process may hold.

    Raises:
        Unavailable: the machine has no room for another process.
    """

    def __init__(self, walk: Callable[[Look], None]) -> None:
        def ahead(link: Link) -> None:
            report = _Report(link)
            walk(report.look)
            report.send()

        self._team = Team(ahead, 1, silence=_SILENCE)
        self._heard: Iterator[_Told] = chain.from_iterable(self._team.hear())
        self._next: _Told | None = None

    def close(self) -> None:
        """End the process. Repeatable."""
        self._team.end()

    def look(self, path: bytes, descriptor: int) -> Listing:
        """What is in an open folder, as the scout saw it, or as it is now.

        Whoever asks does so for one folder after another in the order of the walk.
        """
        told = self._await(path)
        if (
            told is None
            or told.listing is None
            or told.identity != _identity(descriptor)
            or time.monotonic() - told.at > _FRESH
        ):
            return list_folder(descriptor)
        return told.listing

    def _await(self, path: bytes) -> _Told | None:
        """What the scout tells of a folder, if it comes by there."""
        order = path.split(b"/")
        try:
            while self._next is None or self._next.path.split(b"/") < order:
                self._next = next(self._heard)
        except (Error, RuntimeError, StopIteration):
            self.close()  # it has died, or hangs, or is through: the walk goes on alone
            return None
        return self._next if self._next.path == path else None


class _Report:
    """What a scout has to tell. A folder is left to the walk when that has nothing else to do."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._told: list[_Told] = []
        self._names = 0

    def look(self, path: bytes, descriptor: int) -> Listing:
        """Look at a folder and tell of it; the folders in it, which lead on."""
        if self._link.is_awaited():
            return self._leave(path, descriptor)
        listing = list_folder(descriptor)
        if len(listing.names) > _MOST:
            return self._leave(path, descriptor)
        at = time.monotonic()
        states, folders = _look(listing.names, descriptor)
        told = Listing(listing.names, states)
        self._told.append(_Told(path, _identity(descriptor), told, at))
        self._names += 1 + len(states)
        if self._names >= _AT_ONCE:
            self.send()
        return Listing(folders, [])

    def _leave(self, path: bytes, descriptor: int) -> Listing:
        self._told.append(_Told(path, _identity(descriptor), None, 0.0))
        self.send()
        with os.scandir(b"/proc/self/fd/%d" % descriptor) as entries:
            folders = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
        return Listing(sorted(folders, reverse=True), [])

    def send(self) -> None:
        """Tell it."""
        self._link.tell(self._told)
        self._told, self._names = [], 0


def _look(names: list[bytes], descriptor: int) -> tuple[list[bytes], list[bytes]]:
    """The states of plain files, nothing for all else; and those that are folders."""
    states, folders = [], []
    for name in names:
        state = b""
        try:
            status = os.lstat(name, dir_fd=descriptor)
        except OSError:
            pass  # the walk says it
        else:
            if is_plain(status) and EARLIEST < status.st_mtime_ns < LATEST:
                state = pack_state(status)
            elif stat.S_ISDIR(status.st_mode):
                folders.append(name)
        states.append(state)
    return states, folders


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
