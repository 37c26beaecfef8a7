"""What is asked of the kernel alone."""

import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.syncfs.argtypes = (ctypes.c_int,)
_libc.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_libc.fstatfs.argtypes = (ctypes.c_int, ctypes.c_void_p)
_TMPFS = 0x01021994
_BEGIN = 2  # SYNC_FILE_RANGE_WRITE
UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def syncfs(file: int) -> None:
    """Put everything written to the file system of ``file`` on its disk."""
    if _libc.syncfs(file) != 0:
        raise _error()


def begin_writing(file: int, offset: int, size: int) -> None:
    """Let the disk begin with a part of a file that was written, and do not wait for it.

    Whether it can, and whether it goes well, is for ``syncfs`` to say.
    """
    _libc.sync_file_range(file, offset, size, _BEGIN)


def fallocate(file: int, offset: int, size: int) -> None:
    """Reserve room for a part of a file, where the file system can; otherwise do nothing.

    Nor where memory is the disk: there it would fill with noughts what is written a moment later.
    """
    if _in_memory(file):
        return
    while _libc.fallocate(file, 0, offset, size) != 0:
        error = _error()
        if error.errno in UNSUPPORTED:
            return
        if error.errno != errno.EINTR:
            raise error


def _in_memory(file: int) -> bool:
    """Whether ``statfs`` says so; its first word is the kind of the file system."""
    about = (ctypes.c_long * 32)()
    return _libc.fstatfs(file, about) == 0 and about[0] == _TMPFS


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
