"""What a restore that ends too early leaves at its target, for the next one to go on with."""

import errno
import os
import shlex
import stat

from common.components.files.restoring.leftovers import PREFIX, is_ours

_SEEN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def leave(folder: int, name: bytes) -> bool:
    """Make what there is of a file what ``Parts`` takes up; false when there is nothing.

    It may have the owner and the mode of its entry already; then others may have it open, and it is
    not for ``Parts``, unless its folder lets nobody in. Room that was reserved for what did not
    come is given back.
    """
    try:
        file = os.open(name, _SEEN, dir_fd=folder)
    except FileNotFoundError:
        return False
    try:
        status, place = os.fstat(file), f"/proc/self/fd/{file}"
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return False
        if not is_ours(status) and not _is_private(os.fstat(folder)):
            return False
        os.chown(place, os.geteuid(), -1)
        os.chmod(place, 0o600)
        if not is_ours(os.fstat(file)):  # this file system keeps no modes
            return False
        end = _end_of_data(place, status.st_size)
        os.truncate(place, end)
        return end > 0
    finally:
        os.close(file)


def _is_private(folder: os.stat_result) -> bool:
    return folder.st_uid == os.geteuid() and not folder.st_mode & 0o077


def _end_of_data(place: str, size: int) -> int:
    file, end = os.open(place, os.O_RDONLY | os.O_CLOEXEC), 0
    try:
        while True:
            end = os.lseek(file, os.lseek(file, end, os.SEEK_DATA), os.SEEK_HOLE)
    except OSError as error:
        return end if error.errno == errno.ENXIO else size
    finally:
        os.close(file)


def told(count: int, place: str) -> str:
    """What to say of what is left of so many files."""
    files = "a large file" if count == 1 else f"{count} large files"
    pattern = shlex.quote(f"{PREFIX.decode()}*")
    return (
        f"What there is of {files} stays in {place}: run the same restore again to go on with it,"
        f" or remove it with: find {shlex.quote(place)} -name {pattern} -type f -delete"
    )
