"""What a walk sees on a disk, and who takes it."""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, Self

from common.components.files.metadata import describe
from common.repository.attributes import Xattrs, read_xattrs
from common.repository.entry import Entry
from common.repository.found import OpenFolder, mtime_of, pack_state

OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Seen:
    """Something on the disk, by its name in the open folder that holds it.

    Its status is looked up when somebody asks, if only its state was given; then it must still be
    in that state.
    """

    __slots__ = ("_status", "folder", "name", "path", "state")

    def __init__(
        self,
        path: bytes,
        folder: OpenFolder,
        name: bytes,
        state: bytes,
        status: os.stat_result | None = None,
    ) -> None:
        self.path = path
        self.folder = folder
        self.name = name
        self.state = state
        self._status = status

    @classmethod
    def now(cls, path: bytes, folder: OpenFolder, name: bytes) -> Self:
        """As it is now. Raises ``OSError``."""
        status = os.lstat(name, dir_fd=folder.descriptor)
        return cls(path, folder, name, pack_state(status), status)

    @property
    def status(self) -> os.stat_result:
        """All that the disk says of it. Raises ``OSError``."""
        if self._status is None:
            status = os.lstat(self.name, dir_fd=self.folder.descriptor)
            if pack_state(status) != self.state:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            self._status = status
        return self._status

    @property
    def mtime_ns(self) -> int:
        """When it was changed, as it was seen."""
        return mtime_of(self.state) if self._status is None else self._status.st_mtime_ns

    def describe(self) -> Entry:
        """The entry, through the open folder, so that nobody can turn it elsewhere."""
        return describe(self.path, self._where, self.status)

    def xattrs(self) -> Xattrs:
        """Its attributes, found in the same way."""
        return read_xattrs(self._where)

    @property
    def _where(self) -> bytes:
        return b"/proc/self/fd/%d/%s" % (self.folder.descriptor, self.name)


class Listing(NamedTuple):
    """The names in a folder, the last one first, and what is known of each: the state of a regular
    file with one name and a usual time; of anything else nothing, as of all when there are no
    ``states``.
    """

    names: list[bytes]
    states: list[bytes]


Look = Callable[[bytes, int], Listing]
"""Lists a folder, by its path and open."""


def list_folder(descriptor: int) -> Listing:
    """The names in an open folder."""
    # By a path, because a descriptor gives texts, which would have to be encoded again.
    return Listing(sorted(os.listdir(b"/proc/self/fd/%d" % descriptor), reverse=True), [])


def is_plain(status: os.stat_result) -> bool:
    """Whether that is a regular file with one name: no more than its state is needed of it."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


class Taker(Protocol):
    """Takes what a walk finds: a sink does."""

    def add(self, entry: Entry) -> None: ...

    def add_found(self, found: Sequence[Seen]) -> None: ...

    def warn(self, message: str) -> None: ...
