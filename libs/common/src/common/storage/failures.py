"""From what the operating system says to an error that says what to do."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import Error, Forbidden, NoSpace, NotFound, Unavailable


@contextmanager
def explained(root: Path, name: str = "") -> Iterator[None]:
    """Raise any OSError from the block as an error of ours about ``name`` below ``root``."""
    try:
        yield
    except OSError as error:
        raise explain(error, root, name) from error


def explain(error: OSError, root: Path, name: str = "") -> Error:
    """The error of ours that tells what ``error`` means for ``name`` below ``root``."""
    place = root / name if name else root
    missing = error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
    if missing and not _is_folder(root):
        return Unavailable(
            f"The folder {root} is not there.", remedy="Mount its disk, or create it."
        )
    if missing and name:
        return NotFound(f"There is no object {name} in {root}.")
    return _refused(error, root, place) or Unavailable(
        f"{place} cannot be used: {error.strerror or error}.",
        remedy="Check the disk and the system's log.",
    )


def _is_folder(root: Path) -> bool:
    """Whether it is there; a disk that cannot say so is not."""
    try:
        return root.is_dir()
    except OSError:
        return False


def _refused(error: OSError, root: Path, place: Path) -> Error | None:
    match error.errno:
        case errno.ENOSPC:
            return NoSpace(
                f"The disk of {root} is full.",
                remedy="Free some megabytes there, then retry. To delete backups that are no longer"
                " needed, and to prune, takes a little space itself.",
            )
        case errno.EDQUOT:
            return NoSpace(
                f"The disk quota of user {os.geteuid()} at {root} is used up.",
                remedy="Raise the quota or free space, then retry.",
            )
        case errno.EROFS:
            return Forbidden(f"{root} is mounted read-only.", remedy="Mount it for writing.")
        case errno.EACCES | errno.EPERM:
            return Forbidden(
                f"User {os.geteuid()} may not use {place}.",
                remedy=f"Make {root} and all in it this user's own: chown -R.",
            )
        case _:
            return None
