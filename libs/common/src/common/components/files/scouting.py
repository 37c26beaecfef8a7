"""A forked process that goes ahead of a walk: it lists folders and looks at what is in them, so
that two processors share what an unchanged tree costs.
"""

import os
from collections.abc import Callable, Iterator
from itertools import chain, compress
from operator import not_
from typing import NamedTuple

from common.components.files.seen import Listing, Look, is_plain, list_folder
from common.errors import Error
from common.repository.forked import Link, Team
from common.repository.found import EARLIEST, LATEST, pack_state

_MOST = 4096
"""Names of a folder that are told with their states. A larger one is left to the walk itself."""

_SILENCE = 60.0
"""Seconds that the walk waits for a folder, which a slow disk may need; then it goes on alone."""

_AT_ONCE = 512
"""So many names are told at once, while the walk has enough to do."""


class _Told(NamedTuple):
    """What is told of a folder; no listing where the walk does better by itself."""

    path: bytes
    identity: tuple[int, int]
    listing: Listing | None


class Scout:
    """Goes ahead by ``walk``, in a process of its own, until it is closed or has seen all.

    ``walk`` is given what tells here of each folder that it is used on; it gives the rest of them:
    what is known and told is left out.

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
        if told is None or told.listing is None or told.identity != _identity(descriptor):
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
        """Look at a folder and tell of it; what of it is for the scout."""
        if self._link.is_awaited():
            return self._leave(path, descriptor)
        listing = list_folder(descriptor)
        if len(listing.names) > _MOST:
            return self._leave(path, descriptor)
        listing = _look(listing.names, descriptor)
        self._told.append(_Told(path, _identity(descriptor), listing))
        self._names += len(listing.names)
        if self._names >= _AT_ONCE:
            self.send()
        # Among those of which nothing is known are the folders that lead on.
        return Listing(list(compress(listing.names, map(not_, listing.states))), [])

    def _leave(self, path: bytes, descriptor: int) -> Listing:
        self._told.append(_Told(path, _identity(descriptor), None))
        self.send()
        with os.scandir(b"/proc/self/fd/%d" % descriptor) as entries:
            folders = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
        return Listing(sorted(folders, reverse=True), [])

    def send(self) -> None:
        """Tell it."""
        self._link.tell(self._told)
        self._told, self._names = [], 0


def _look(names: list[bytes], descriptor: int) -> Listing:
    return Listing(names, [_state(name, descriptor) for name in names])


def _state(name: bytes, descriptor: int) -> bytes:
    try:
        status = os.lstat(name, dir_fd=descriptor)
    except OSError:
        return b""  # the walk says it
    if is_plain(status) and EARLIEST < status.st_mtime_ns < LATEST:
        return pack_state(status)
    return b""


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
