"""Files with several names: which name carries the content."""

import os


class Inode:
    """A file of which one name is stored, and ``left`` names are still to come."""

    __slots__ = ("identity", "left", "path")

    def __init__(self, path: bytes, left: int, identity: tuple[int, int, int]) -> None:
        self.path = path
        self.left = left
        self.identity = identity


class Links:
    """Remembers a file until the last of its names has come by."""

    def __init__(self) -> None:
        self._inodes: dict[tuple[int, int], Inode] = {}

    def first(self, path: bytes, status: os.stat_result) -> bytes | None:
        """The name under which this file was stored before, if it was."""
        key = (status.st_dev, status.st_ino)
        inode = self._inodes.get(key)
        # The number is given again when the file it was of is gone.
        if inode is None or inode.identity != _identity(status) or inode.path == path:
            return None
        inode.left -= 1
        if not inode.left:
            del self._inodes[key]
        return inode.path

    def remember(self, path: bytes, status: os.stat_result) -> None:
        """This name is stored with the content."""
        inode = Inode(path, status.st_nlink - 1, _identity(status))
        self._inodes[status.st_dev, status.st_ino] = inode


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_mode
