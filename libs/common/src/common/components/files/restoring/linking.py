"""Gives what was restored its other names."""

import os
from contextlib import suppress

from common.components.files.restoring.arriving import replace, temporary_name
from common.components.files.restoring.folders import Folders


def bears_time(folders: Folders, path: bytes, mtime_ns: int) -> bool:
    """Whether there is something at ``path``, last changed at this very time."""
    folder, name = folders.parent(path)
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns == mtime_ns
    return False


def hard_link(folders: Folders, target: bytes, path: bytes) -> None:
    """Make ``path`` a hard link to what is at ``target``, in the place of whatever is there."""
    folder, name = folders.parent(target)
    folder, temporary = os.dup(folder), temporary_name()
    try:
        here, _ = folders.parent(path)
        os.link(name, temporary, src_dir_fd=folder, dst_dir_fd=here, follow_symlinks=False)
    finally:
        os.close(folder)
    try:
        replace(folders, path, temporary)
    finally:
        # Where the name is a link to the same file already, renaming does nothing.
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folders.parent(path)[0])
