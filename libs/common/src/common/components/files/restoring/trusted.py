"""Finds the folder above a place that is restored in place."""

import os
import stat
from collections import deque

from common.components.names import show
from common.errors import Conflict

MAX_LINKS = 40
FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def open_trusted(root: int, path: bytes) -> int:
    """Open the folder ``path`` below ``root``; a symlink on the way is followed if it is root's
    or our own, for nobody else can turn it elsewhere.

    Raises:
        FileNotFoundError: it is not there.
        Conflict: a symlink of somebody else is on the way.
    """
    current, links = os.dup(root), 0
    todo = deque(path.split(b"/"))
    try:
        while todo:
            name = todo.popleft()
            if name in {b"", b"."}:
                continue
            found = os.open(name, FLAGS, dir_fd=current)
            status = os.fstat(found)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                target = _target(found, status, path, links)
                found = os.dup(root if target.startswith(b"/") else current)
                todo.extendleft(reversed(target.split(b"/")))
            os.close(current)
            current = found
    except BaseException:
        os.close(current)
        raise
    return current


def _target(link: int, status: os.stat_result, path: bytes, links: int) -> bytes:
    try:
        target = os.fsencode(os.readlink("", dir_fd=link))
    finally:
        os.close(link)
    if status.st_uid not in {0, os.geteuid()} or links > MAX_LINKS:
        raise Conflict(
            f"On the way to {show(b'/' + path)} is a symlink that is not to be trusted.",
            remedy="Restore into a folder, or give the symlink to root.",
        )
    return target
