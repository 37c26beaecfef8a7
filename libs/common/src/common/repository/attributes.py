"""What a file system knows of a file beyond its status: names of owners, extended attributes."""

import errno
import grp
import os
import pwd
from functools import lru_cache

Xattrs = tuple[tuple[bytes, bytes], ...]

UNSUPPORTED = (errno.ENOTSUP, errno.ENODATA, errno.ENOSYS)


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """The login of a user, empty when it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str:
    """The name of a group, empty when it has none here."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def read_xattrs(where: bytes | int) -> Xattrs:
    """The extended attributes of an open file, or of what is at a path, not followed.

    Raises:
        OSError: it is gone.
    """
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return ()
        raise
    if not names:  # as with most files
        return ()
    found = []
    for name in sorted(names):
        try:
            found.append((os.fsencode(name), os.getxattr(where, name, follow_symlinks=follow)))
        except OSError as error:
            # Removed since it was listed, or readable only by another.
            if error.errno not in {*UNSUPPORTED, errno.EPERM, errno.EACCES}:
                raise
    return tuple(found)
