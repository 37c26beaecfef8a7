"""An entry's metadata: read from a file, and put on a file."""

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from common.repository.attributes import UNSUPPORTED, group_name, read_xattrs, user_name
from common.repository.entry import PERMISSIONS, Entry, EntryType

TYPES = {
    stat.S_IFREG: EntryType.FILE,
    stat.S_IFDIR: EntryType.DIRECTORY,
    stat.S_IFLNK: EntryType.SYMLINK,
    stat.S_IFIFO: EntryType.FIFO,
    stat.S_IFCHR: EntryType.CHARACTER,
    stat.S_IFBLK: EntryType.BLOCK,
}
SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID
_PLAIN_MODE = 0o777
_LABEL = "security.selinux"


def describe(path: bytes, where: bytes, status: os.stat_result) -> Entry:
    """The entry ``path`` for what is at ``where``, itself not followed. It is no socket."""
    kind = TYPES[stat.S_IFMT(status.st_mode)]
    device = (0, 0)
    if kind in {EntryType.CHARACTER, EntryType.BLOCK}:
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return Entry(
        path=path,
        type=kind,
        mode=status.st_mode & PERMISSIONS,
        uid=status.st_uid,
        gid=status.st_gid,
        user=user_name(status.st_uid),
        group=group_name(status.st_gid),
        mtime_ns=status.st_mtime_ns,
        size=status.st_size if kind is EntryType.FILE else 0,
        target=os.readlink(where) if kind is EntryType.SYMLINK else b"",
        device=device,
        xattrs=read_xattrs(where),
    )


@lru_cache(maxsize=4096)
def _owner_here(user: str, uid: int, group: str, gid: int) -> tuple[int, int]:
    return _uid_here(user, uid), _gid_here(group, gid)


@lru_cache(maxsize=4096)
def _uid_here(name: str, uid: int) -> int:
    try:
        return pwd.getpwnam(name).pw_uid if name else uid
    except (KeyError, ValueError):  # no name, or one that is no text or has a NUL
        return uid


@lru_cache(maxsize=4096)
def _gid_here(name: str, gid: int) -> int:
    try:
        return grp.getgrnam(name).gr_gid if name else gid
    except (KeyError, ValueError):  # no name, or one that is no text or has a NUL
        return gid


class Born(NamedTuple):
    """What a new file is like before anything was put on it: whose it is, and whether it inherited
    attributes. Those that one process makes in one folder are all alike.
    """

    uid: int
    gid: int
    marked: bool

    @classmethod
    def of(cls, file: int) -> "Born":
        """Of one that is open."""
        status = os.fstat(file)
        try:
            marked = bool(set(os.listxattr(file)) - {_LABEL})
        except OSError as error:
            marked = error.errno not in UNSUPPORTED
        return cls(status.st_uid, status.st_gid, marked)


def set_time(entry: Entry, where: int | str) -> None:
    """Give what is at ``where`` the time of ``entry``, as the last thing that is done to it."""
    os.utime(where, ns=(entry.mtime_ns, entry.mtime_ns))


def _is_full(where: int | str) -> bool:
    """Whether a disk has no room at all: its word for that is also that for a file which has more
    attributes than it takes. One that counts no files says that it has room for none.
    """
    room = os.statvfs(where)
    return room.f_bavail == 0 or (room.f_files > 0 and room.f_favail == 0)


class Applier(NamedTuple):
    """Puts metadata on what was restored. What is not permitted is told to ``warn``, by kind.

    Owners are found by name, where this machine knows the name, else by number. Setuid and setgid
    come back only on what has come back to its owner.
    """

    warn: Callable[[str, bytes], None]
    numeric_owners: bool = False

    def apply(self, entry: Entry, where: int | str, born: Born | None = None) -> None:
        """Give what is at ``where`` the owner, mode, attributes and time of ``entry``.

        ``where`` is an open file, or a path through ``/proc/self/fd``, which leads to what is open
        and nowhere else, be it a symlink. Of a new file one may know how it was ``born``.
        """
        owned = self._own(entry, where, born)
        if born is None or born.marked:
            self._remove_xattrs(entry, where)
        # A user's own attributes need write permission, which the mode may take away; access
        # lists refine the mode, and capabilities do not outlive a change of owner.
        if entry.xattrs:
            self._set_xattrs(entry, where, early=True)
        if entry.type is not EntryType.SYMLINK:
            os.chmod(where, entry.mode if owned else entry.mode & ~SPECIAL_BITS)
        if entry.xattrs:
            self._set_xattrs(entry, where, early=False)
        set_time(entry, where)

    def needs_only_mode(self, entry: Entry, born: Born) -> bool:
        """Whether nothing but its time is missing on a file that is made with the right mode."""
        return (
            not (born.marked or entry.xattrs or entry.mode & ~_PLAIN_MODE)
            and self.owner(entry) == born[:2]
        )

    def owner(self, entry: Entry) -> tuple[int, int]:
        """The user and the group that an entry has on this machine."""
        if self.numeric_owners:
            return entry.uid, entry.gid
        return _owner_here(entry.user, entry.uid, entry.group, entry.gid)

    def _own(self, entry: Entry, where: int | str, born: Born | None) -> bool:
        wanted = self.owner(entry)
        if born is None:
            status = os.stat(where)
            has = status.st_uid, status.st_gid
        else:
            has = born.uid, born.gid
        if has == wanted:
            return True
        try:
            os.chown(where, *wanted)
        except OSError:
            self.warn("owner not restored", entry.path)
            return False
        return True

    def _remove_xattrs(self, entry: Entry, where: int | str) -> None:
        """Take off what it inherited from its folder, or had when it was there before."""
        wanted = {os.fsdecode(name) for name, _ in entry.xattrs} | {_LABEL}
        try:
            for name in set(os.listxattr(where)) - wanted:
                os.removexattr(where, name)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                self.warn("extended attribute not removed", entry.path)

    def _set_xattrs(self, entry: Entry, where: int | str, *, early: bool) -> None:
        for name, value in entry.xattrs:
            if name.startswith(b"user.") is not early:
                continue
            try:
                os.setxattr(where, name, value)
            except OSError as error:
                if error.errno == errno.EDQUOT or (error.errno == errno.ENOSPC and _is_full(where)):
                    raise
                self._warn_of_xattr(name, entry)
            except ValueError:  # a NUL in its name: no file has such a thing
                self._warn_of_xattr(name, entry)

    def _warn_of_xattr(self, name: bytes, entry: Entry) -> None:
        kind = os.fsdecode(name.split(b".", 1)[0].split(b"\0", 1)[0])
        self.warn(f"extended attribute ({kind}) not restored", entry.path)
