"""Tells what was made here from what somebody has put in its place.

Whoever may write to a folder can do that at any time between the making of a file and its next
opening by name. What gets content, an owner and a mode must be what was made.
"""

import errno
import os
import stat
from typing import NamedTuple

from common.components.files.linux import generation, keeps_numbers
from common.components.files.metadata import TYPES
from common.repository.entry import Entry, EntryType

_REOPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Identity(NamedTuple):
    """What a file has from its making until it gets its metadata, and no other one has.

    A number is given again when its file is gone. It is of another generation then; where a file
    system tells none, the owner still keeps the files of others out.
    """

    device: int
    number: int
    generation: int
    owner: int
    mode: int


def identity(file: int) -> Identity:
    """Of a file that is open."""
    status = os.fstat(file)
    return Identity(status.st_dev, status.st_ino, generation(file), status.st_uid, status.st_mode)


def reopen(folder: int, name: bytes, made: Identity) -> int:
    """Open what was made here, to write to it.

    Raises:
        PermissionError: it is something else.
    """
    file = os.open(name, _REOPEN, dir_fd=folder)
    try:
        now = identity(file)
        if now != made and (now._replace(number=made.number) != made or keeps_numbers(file)):
            raise _replaced()
    except OSError:
        os.close(file)
        raise
    return file


def check_special(entry: Entry, file: int) -> None:
    """See that what was made for an entry without content, and then opened, is that.

    Another symlink to the same place and another node of the same device do as well; a fifo must be
    ours alone, for whoever has it open hears what is said to it.

    Raises:
        PermissionError: it is something else.
    """
    status = os.fstat(file)
    if TYPES.get(stat.S_IFMT(status.st_mode)) != entry.type:
        raise _replaced()
    if entry.type is EntryType.SYMLINK:
        same = os.readlink(b"", dir_fd=file) == entry.target
    elif entry.type is EntryType.FIFO:
        same = status.st_uid == os.geteuid() and not status.st_mode & 0o077
    else:
        same = status.st_rdev == os.makedev(*entry.device)
    if not same:
        raise _replaced()


def _replaced() -> PermissionError:
    return PermissionError(errno.EPERM, "somebody put something else in its place")
