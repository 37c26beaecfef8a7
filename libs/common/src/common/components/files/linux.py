"""What is asked of the kernel alone."""

import ctypes
import errno
import fcntl
import os
import sys

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.syncfs.argtypes = (ctypes.c_int,)
_libc.fstatfs.argtypes = (ctypes.c_int, ctypes.c_void_p)
_TMPFS = 0x01021994
_UNNUMBERED = {0x4D44, 0x2011BAB0, 0x65735546, 0xFE534D42, 0xFF534D42}  # FAT, exFAT, FUSE, SMB
_GET_VERSION = 0x80087601  # FS_IOC_GETVERSION
UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def syncfs(file: int) -> None:
    """Put everything written to the file system of ``file`` on its disk."""
    if _libc.syncfs(file) != 0:
        raise _error()


def fallocate(file: int, offset: int, size: int) -> None:
    """Reserve room for a part of a file, where the file system can; otherwise do nothing.

    Nor where memory is the disk: there it would fill with noughts what is written a moment later.
    """
    if _kind(file) == _TMPFS:
        return
    while _libc.fallocate(file, 0, offset, size) != 0:
        error = _error()
        if error.errno in UNSUPPORTED:
            return
        if error.errno != errno.EINTR:
            raise error


def generation(file: int) -> int:
    """Which of all files that have had its number a file is; 0 where nobody can tell."""
    try:
        return int.from_bytes(fcntl.ioctl(file, _GET_VERSION, bytes(8)), sys.byteorder)
    except OSError:
        return 0


def keeps_numbers(file: int) -> bool:
    """Whether a file has one number as long as it is there, and not only while it is in use."""
    return _kind(file) not in _UNNUMBERED


def _kind(file: int) -> int:
    """Of the file system: the first word of what ``statfs`` says. 0 where it says nothing."""
    about = (ctypes.c_long * 32)()
    return about[0] if _libc.fstatfs(file, about) == 0 else 0


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
