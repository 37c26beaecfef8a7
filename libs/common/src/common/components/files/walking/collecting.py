"""What a walk comes upon, on its way to who takes it."""

import os
import stat
from collections import Counter
from dataclasses import replace

from common.components.files.metadata import TYPES
from common.components.files.walking.links import Links
from common.components.files.walking.seen import OPEN_FILE, Seen, Taker
from common.components.names import show
from common.repository.entry import EntryType

_KINDS = {form: kind.value for form, kind in TYPES.items()}


class Collector:
    """Counts what is found by its kind, and hands it on; the further names of a file as links to
    the first.
    """

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._links = Links()
        self.counts: Counter[str] = Counter()

    @property
    def files(self) -> int:
        """How many files were handed on so far, each by its first name."""
        return self.counts[EntryType.FILE.value]

    def add_row(self, row: list[Seen]) -> None:
        """Regular files of one folder, of one name each."""
        self.counts[EntryType.FILE.value] += len(row)
        self._taker.add_found(row)

    def add(self, seen: Seen) -> None:
        """Whatever it is, under the name that it was seen by."""
        self.counts[_KINDS[stat.S_IFMT(seen.status.st_mode)]] += 1
        self._taker.add_found([seen])

    def add_leaf(self, seen: Seen) -> None:
        """What is no folder, and may have other names."""
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
        self.add(seen)

    def exclude(self) -> None:
        """Something was not asked for."""
        self.counts["excluded"] += 1

    def warn(self, message: str) -> None:
        """Say what stays out and why."""
        self._taker.warn(message)

    def unreadable(self, path: bytes, error: OSError) -> None:
        """Say that this stays out."""
        if isinstance(error, FileNotFoundError):
            self.warn(f"{show(path)} vanished while the backup ran.")
        else:
            self.warn(f"{show(path)} could not be read: {error.strerror}.")

    def _add_link(self, seen: Seen, first: bytes) -> None:
        try:
            entry = seen.describe()
        except OSError as error:
            self.unreadable(seen.path, error)
            return
        self.counts[EntryType.HARDLINK.value] += 1
        self._taker.add(replace(entry, type=EntryType.HARDLINK, target=first, xattrs=(), size=0))

    def _readable(self, seen: Seen) -> bool:
        """Whether other names can lean on this one: the writer leaves out what it cannot open."""
        if stat.S_ISREG(seen.status.st_mode):
            try:
                os.close(os.open(seen.name, OPEN_FILE, dir_fd=seen.folder.descriptor))
            except OSError as error:
                self.unreadable(seen.path, error)
                return False
        return True


class Passer(Collector):
    """Hands on nothing: what a scout comes upon, the walk behind it collects."""

    def add_row(self, row: list[Seen]) -> None:
        """Nothing."""

    def add(self, seen: Seen) -> None:
        """Nothing."""

    def add_leaf(self, seen: Seen) -> None:
        """Nothing: to describe a link is to ask for its owner, which may take a lock."""

    def warn(self, message: str) -> None:
        """Nothing."""
