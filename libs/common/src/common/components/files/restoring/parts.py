"""What an earlier restore has left of large files, for this one to go on with."""

import os

from common.components.files.restoring.arriving import Item, remove
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.identity import identity
from common.components.files.restoring.leftovers import PART, is_ours, part_mark, sweep
from common.repository.tree import Source

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Parts:
    """Finds them by their names while folders are swept. A name is trusted for nothing else."""

    def __init__(self, source: Source, folders: Folders, own: bytes) -> None:
        self._source = source
        self._folders = folders
        self._own = own
        self._found: dict[bytes, bytes] = {}

    def sweep(self, folder: bytes) -> None:
        """Remove from a folder what others have left, but the parts."""
        within = folder + b"/" if folder else b""
        for name in sweep(self._folders.file(folder), self._own):
            file = within + name
            before = self._found.setdefault(within + name[name.rindex(PART) :], file)
            if before != file:
                remove(self._folders, file, file.rpartition(b"/")[2])

    def take(self, item: Item) -> int:
        """Make what there is of ``item`` its file; the bytes that are right in it.

        The source gives the others alone.
        """
        folder, _, _ = item.path.rpartition(b"/")
        file = self._found.pop((folder + b"/" if folder else b"") + part_mark(item.path), None)
        if file is None:
            return 0
        try:
            right = self._use(file, item)
        except OSError:
            right = 0
        if not item.made:
            remove(self._folders, file, file.rpartition(b"/")[2])
        return right

    @property
    def left(self) -> int:
        """How many of them nobody has taken."""
        return len(self._found)

    def close(self) -> None:
        """Remove what nobody has taken: no restore of this will."""
        for file in self._found.values():
            remove(self._folders, file, file.rpartition(b"/")[2])

    def _use(self, path: bytes, item: Item) -> int:
        folder, name = self._folders.parent(path)
        file = os.open(name, _OPEN, dir_fd=folder)
        try:
            if not is_ours(os.fstat(file)):
                return 0
            os.ftruncate(file, item.entry.size)
            os.rename(name, item.temporary, src_dir_fd=folder, dst_dir_fd=folder)
            item.made = identity(file)
            return self._source.held(item.entry, file)
        finally:
            os.close(file)
