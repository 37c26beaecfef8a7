"""What a component has seen in a file system, for the engine to describe and read later."""

import os
import stat
import struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from common.repository.attributes import Xattrs
    from common.repository.entry import Entry  # a process that reads files makes none

STATE = struct.Struct("<IIIQqqQQ")
"""Mode, uid, gid, size, mtime, ctime (nanoseconds), inode, device: what changes with a file."""

_MODE, _SIZE, _MTIME = slice(0, 4), slice(12, 20), slice(20, 28)

EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1
"""The times in a state, from 1677 to 2262; these two stand for what is beyond them."""


class OpenFolder:
    """An open folder, closed with the last one that refers to it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Close it now. Repeatable."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class Found(Protocol):
    """Something in a file system: ``name`` in the open ``folder``, to be stored as ``path``.

    ``state`` is that of the thing itself, no symlink followed; ``mtime_ns`` may be beyond what a
    state can hold. Whoever reads it goes through the open folder, so that nobody can turn the path
    elsewhere meanwhile.
    """

    @property
    def path(self) -> bytes: ...

    @property
    def folder(self) -> OpenFolder: ...

    @property
    def name(self) -> bytes: ...

    @property
    def state(self) -> bytes: ...

    @property
    def mtime_ns(self) -> int: ...

    def describe(self) -> "Entry":
        """Its entry as it is now, with what takes calls to find out. Raises ``OSError``."""

    def xattrs(self) -> "Xattrs":
        """Its attributes as they are now. Raises ``OSError``."""


def size_of(state: bytes) -> int:
    """The size in a state."""
    return int.from_bytes(state[_SIZE], "little")


def mtime_of(state: bytes) -> int:
    """The time in a state, in nanoseconds: the last one if that is later, or the earliest."""
    return int.from_bytes(state[_MTIME], "little", signed=True)


def is_file(state: bytes) -> bool:
    """Whether that is the state of a regular file."""
    return stat.S_ISREG(int.from_bytes(state[_MODE], "little"))


def pack_state(status: os.stat_result) -> bytes:
    """The state of a file in a fixed form: two that are equal are of the same, unchanged file."""
    mode, inode, device, _, uid, gid, size, _, _, _ = status
    mtime_ns, ctime_ns = status.st_mtime_ns, status.st_ctime_ns
    try:
        return STATE.pack(mode, uid, gid, size, mtime_ns, ctime_ns, inode, device)
    except struct.error:
        times = (max(EARLIEST, min(LATEST, time)) for time in (mtime_ns, ctime_ns))
        return STATE.pack(mode, uid, gid, size, *times, inode, device)
