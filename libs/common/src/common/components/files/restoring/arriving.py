"""Files while their content arrives: under a temporary name until they are whole."""

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from common.components.files.linux import fallocate, syncfs
from common.components.files.metadata import Applier, Born
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.identity import Identity, identity, reopen
from common.components.files.restoring.leaving import leave
from common.components.files.restoring.leftovers import PART, PREFIX, part_mark
from common.components.notes import raise_if_full
from common.errors import RestoreFailed
from common.repository.entry import Entry, data_size

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PREALLOCATED = 1 << 20
_STEP = 32 << 20
PUBLISH_FILES = 10_000
LARGE = 8 << 20
"""What an earlier restore has left of a file of this size or more is worth going on with."""


def temporary_name() -> bytes:
    """A name that nothing else has."""
    return PREFIX + os.urandom(8).hex().encode()


def replace(folders: Folders, path: bytes, temporary: bytes) -> None:
    """Give what is whole its name, in one step; only a folder with something in it stays."""
    folder, name = folders.parent(path)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:
        folders.forget(path)
        os.rmdir(name, dir_fd=folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def remove(folders: Folders, path: bytes, temporary: bytes) -> None:
    """Remove what will not become ``path``, if it is there."""
    with suppress(OSError):
        folder, _ = folders.parent(path)
        os.unlink(temporary, dir_fd=folder)


@dataclass(slots=True)
class Item:
    """A file that is to become ``path``; ``left`` bytes of data are still to come.

    It is ``made`` under its temporary name before others write to it, who open that and nothing
    else of the name; or by the one that has all of its content, and opens it once.
    """

    entry: Entry
    path: bytes
    temporary: bytes
    left: int
    made: Identity | None = None

    def reopen(self, folder: int) -> int:
        """Open in its folder what was made of it.

        Raises:
            OSError: it is not there, or something else is.
        """
        if self.made is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return reopen(folder, self.temporary, self.made)


class Arriving:
    """The files that are expected, and the names of those that are whole.

    A name appears only when the content behind it is on the disk, so that whatever stops a
    restore, a name leads to the old file or to the new one. What there is of a large file without
    holes stays for the next restore, if that ``will_look`` for it.
    """

    def __init__(
        self,
        folders: Folders,
        applier: Applier,
        failed: Callable[[bytes, OSError], None],
        *,
        will_look: bool,
    ) -> None:
        self._folders = folders
        self._applier = applier
        self._failed = failed
        self._will_look = will_look
        self.own = temporary_name()
        """How the temporary names of this restore begin."""

        self._begun = 0
        self._whole: list[Item] = []
        self.items: dict[bytes, Item] = {}
        self.entries = 0
        self.bytes = 0
        self.left = 0
        """Of so many files there is something for the next restore."""

    def begin(self, entry: Entry, path: bytes) -> bool:
        """Expect the content of ``entry`` for ``path``; whether it has data that must come."""
        left = data_size(entry)
        self._begun += 1
        goes_on = self._will_look and left >= LARGE and entry.extents is None
        mark = part_mark(path) if goes_on else b""
        item = Item(entry, path, b"%s-%x%s" % (self.own, self._begun, mark), left)
        self.items[entry.path] = item
        if left == 0:
            try:
                self._finish(item, self._make(item))
            except OSError:
                self.abandon([entry.path])
                raise
        return left > 0

    def make(self, entry: Entry) -> None:
        """Make the file of ``entry`` with its size: what it holds will come in pieces."""
        item = self.items.get(entry.path)
        if item is not None and item.made is None:
            os.close(self._make(item))

    def reserve(self, entry: Entry) -> None:
        """Make room on the disk for a large file without holes, while others write to it already.

        In steps: each keeps them waiting, longest where memory is the disk.
        """
        item = self.items.get(entry.path)
        if item is None or item.left < PREALLOCATED or item.left != entry.size:
            return
        file = self._open(item)
        try:
            for offset in range(0, entry.size, _STEP):
                fallocate(file, offset, min(_STEP, entry.size - offset))
        except OSError:
            os.ftruncate(file, 0)  # others need the room that is left
            os.ftruncate(file, entry.size)
            raise
        finally:
            os.close(file)

    def part(self, path: bytes, count: int) -> None:
        """So many bytes of the file of the entry ``path`` have come."""
        item = self.items.get(path)
        if item is None:  # it failed before
            return
        item.left -= count
        if item.left == 0:
            try:
                self._finish(item, self._open(item))
            except OSError as error:
                self.give_up([path])
                self._failed(item.path, error)

    def abandon(self, paths: Iterable[bytes]) -> list[bytes]:
        """Remove files that can never become whole; returns their names."""
        items = self._pop(paths)
        for item in items:
            remove(self._folders, item.path, item.temporary)
        return [item.path for item in items]

    def give_up(self, paths: Iterable[bytes]) -> list[bytes]:
        """Remove files that do not become whole here, or leave them; returns their names."""
        items = self._pop(paths)
        for item in items:
            self._leave(item)
        return [item.path for item in items]

    def close(self) -> None:
        """Give up what has no name yet."""
        self.give_up(list(self.items))
        for item in self._whole:
            self._leave(item)

    def _pop(self, paths: Iterable[bytes]) -> list[Item]:
        return [self.items.pop(path) for path in paths if path in self.items]

    def _leave(self, item: Item) -> None:
        if PART in item.temporary:
            try:
                folder, _ = self._folders.parent(item.path)
                left = leave(folder, item.temporary)
            except PermissionError:
                left = False
            except OSError:  # the disk may be away, and come back
                left = True
            if left:
                self.left += 1
                return
        remove(self._folders, item.path, item.temporary)

    def publish(self) -> None:
        """Put what is whole on the disk, then give it its names."""
        self.sync()
        whole, self._whole = self._whole, []
        for item in whole:
            try:
                replace(self._folders, item.path, item.temporary)
            except OSError as error:
                self._leave(item)
                self._failed(item.path, error)
            else:
                self.entries += 1
                self.bytes += item.entry.size

    def sync(self) -> None:
        """Put everything restored so far on its disks.

        Raises:
            RestoreFailed: a disk lost something; which file is not known.
        """
        try:
            for file in self._folders.disks.values():
                syncfs(file)
        except OSError as error:
            raise_if_full(error, "the target")
            raise RestoreFailed(f"The target's disk does not keep data: {error}.") from error

    def _make(self, item: Item) -> int:
        """The file of an item, open."""
        folder, _ = self._folders.parent(item.path)
        file = os.open(item.temporary, CREATE, 0o600, dir_fd=folder)
        try:
            item.made = identity(file)
            os.ftruncate(file, item.entry.size)
        except OSError:
            os.close(file)
            raise
        return file

    def _open(self, item: Item) -> int:
        folder, _ = self._folders.parent(item.path)
        return item.reopen(folder)

    def _finish(self, item: Item, file: int) -> None:
        """Give the file of an item, which is open, its metadata, and close it."""
        try:
            self._applier.apply(item.entry, file, Born.of(file))
        finally:
            os.close(file)
        del self.items[item.entry.path]
        self._whole.append(item)
        if len(self._whole) >= PUBLISH_FILES:
            self.publish()
