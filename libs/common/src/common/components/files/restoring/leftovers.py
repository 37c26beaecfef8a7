"""What a restore that ended too early leaves at its target: files without their names."""

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress

from blake3 import blake3

from common.components.files.restoring.folders import READ
from common.errors import Conflict

PREFIX = b".strongroom-restore-"
PART = b".part-"
PATIENCE = 2.0
"""Seconds that the processes of a killed restore may take to end with it."""

_PAUSE = 0.05
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EBADF}


def claim(folder: int, name: str) -> bool:
    """Be the only restore into a folder until it is closed. False where folders have no locks.

    Raises:
        Conflict: another one is at work there.
    """
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > give_up:
                raise Conflict(
                    f"Another restore into {name} is going on.", remedy="Let it end, or end it."
                ) from error
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
        else:
            return True


def part_mark(path: bytes) -> bytes:
    """How the name ends of what is left of a large file, which was to become ``path``."""
    return PART + blake3(path).hexdigest(length=16).encode()


def is_ours(status: os.stat_result) -> bool:
    """Whether a file is this account's alone: nobody else may have it open, or a name of it."""
    private = status.st_mode == stat.S_IFREG | 0o600
    return private and status.st_uid == os.geteuid() and status.st_nlink == 1


def sweep(folder: int, own: bytes) -> list[bytes]:
    """Remove from a folder what others left; ``own`` is how our own names begin.

    What is left of large files stays. Returned are the names of that.
    """
    parts = []
    with suppress(PermissionError):  # a folder of another that cannot be listed
        file = os.open(".", READ, dir_fd=folder)
        try:
            with os.scandir(file) as found:
                names = [os.fsencode(each.name) for each in found]
            for name in names:
                if not name.startswith(PREFIX) or name.startswith(own):
                    continue
                if PART in name:
                    parts.append(name)
                    continue
                with suppress(OSError):  # a folder of that name is none of ours
                    os.unlink(name, dir_fd=file)
        finally:
            os.close(file)
    return parts
