"""Brings back what has no content: symlinks, pipes and devices."""

import os
import stat
from contextlib import suppress

from common.components.files.metadata import Applier
from common.components.files.restoring.arriving import replace, temporary_name
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.identity import check_special
from common.repository.entry import Entry, EntryType

_DEVICES = {EntryType.CHARACTER: stat.S_IFCHR, EntryType.BLOCK: stat.S_IFBLK}


def make_special(folders: Folders, applier: Applier, entry: Entry, path: bytes) -> bool:
    """Make ``entry`` at ``path``, in the place of whatever is there.

    Returns whether it is there: where this account may not make devices it is not.
    """
    folder, _ = folders.parent(path)
    temporary = temporary_name()
    if entry.type is EntryType.SYMLINK:
        os.symlink(entry.target, temporary, dir_fd=folder)
    elif entry.type is EntryType.FIFO:
        os.mkfifo(temporary, 0o600, dir_fd=folder)
    else:
        mode = _DEVICES[entry.type] | 0o600
        try:
            os.mknod(temporary, mode, os.makedev(*entry.device), dir_fd=folder)
        except PermissionError:
            return False
    try:
        file = os.open(temporary, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            check_special(entry, file)
            applier.apply(entry, f"/proc/self/fd/{file}")
        finally:
            os.close(file)
        replace(folders, path, temporary)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    return True
