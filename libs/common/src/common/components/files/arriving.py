"""Files while their content arrives: under a temporary name until they are whole."""

import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from common.components.files.folders import Folders
from common.components.files.linux import fallocate, syncfs
from common.components.files.metadata import Applier
from common.components.notes import raise_if_full
from common.errors import RestoreFailed
from common.repository.entry import Entry

PREFIX = b".strongroom-restore-"
CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
REOPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
KEPT_OPEN = 256
PREALLOCATED = 1 << 20
PUBLISH_FILES = 1000
PUBLISH_BYTES = 1 << 30


def temporary_name() -> bytes:
    """A name that nothing else has."""
    return PREFIX + secrets.token_hex(8).encode()


def replace(folders: Folders, path: bytes, temporary: bytes) -> None:
    """Give what is whole its name, in one step; only a folder with something in it stays."""
    folder, name = folders.parent(path)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:
        folders.forget(path)
        os.rmdir(name, dir_fd=folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


@dataclass(slots=True)
class Item:
    """A file that is to become ``path``; ``left`` bytes of data are still to come."""

    entry: Entry
    path: bytes
    temporary: bytes
    left: int
    made: bool = False


class Arriving:
    """Writes pieces of many files as they come, and gives each its name when it is whole.

    A name appears only when the content behind it is on the disk, so that whatever stops a
    restore, a name leads to the old file or to the new one.
    """

    def __init__(
        self, folders: Folders, applier: Applier, failed: Callable[[bytes, OSError], None]
    ) -> None:
        self._folders = folders
        self._applier = applier
        self._failed = failed
        self._items: dict[bytes, Item] = {}
        self._files: OrderedDict[bytes, int] = OrderedDict()
        self._whole: list[Item] = []
        self._whole_bytes = 0
        self._disks: dict[int, int] = {}
        self.entries = 0
        self.bytes = 0

    def begin(self, entry: Entry, path: bytes) -> bool:
        """Expect the content of ``entry`` for ``path``; whether it has data that must come."""
        left = entry.size if entry.extents is None else sum(size for _, size in entry.extents)
        item = self._items[entry.path] = Item(entry, path, temporary_name(), left)
        try:
            if left == 0:
                self._finish(item)
        except OSError:
            self.abandon([entry.path])
            raise
        return left > 0

    def write(self, entry: Entry, offset: int, piece: bytes | memoryview) -> None:
        """Put a piece in its place."""
        item = self._items.get(entry.path)
        if item is None:  # it failed before
            return
        try:
            file, view = self._file(item), memoryview(piece)
            while view:
                written = os.pwrite(file, view, offset)
                offset, view = offset + written, view[written:]
            item.left -= len(piece)
            if item.left == 0:
                self._finish(item)
        except OSError as error:
            self.abandon([entry.path])
            self._failed(item.path, error)

    def abandon(self, paths: Iterable[bytes] | None = None) -> list[bytes]:
        """Remove files that will not become whole, all by default; returns their names."""
        items = [
            self._items.pop(path)
            for path in list(self._items if paths is None else paths)
            if path in self._items
        ]
        for item in items:
            self._close(item)
            self._remove(item)
        return [item.path for item in items]

    def close(self) -> None:
        """Remove what has no name yet."""
        self.abandon()
        for item in self._whole:
            self._remove(item)
        for file in self._disks.values():
            os.close(file)

    def publish(self) -> None:
        """Put what is whole on the disk, then give it its names."""
        self.sync()
        whole, self._whole, self._whole_bytes = self._whole, [], 0
        for item in whole:
            try:
                replace(self._folders, item.path, item.temporary)
            except OSError as error:
                self._remove(item)
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
            for file in self._disks.values():
                syncfs(file)
        except OSError as error:
            raise_if_full(error, "the target")
            raise RestoreFailed(f"The target's disk does not keep data: {error}.") from error

    def _finish(self, item: Item) -> None:
        self._applier.apply(item.entry, f"/proc/self/fd/{self._file(item)}")
        self._close(item)
        del self._items[item.entry.path]
        self._whole.append(item)
        self._whole_bytes += item.entry.size
        if len(self._whole) >= PUBLISH_FILES or self._whole_bytes >= PUBLISH_BYTES:
            self.publish()

    def _file(self, item: Item) -> int:
        file = self._files.get(item.entry.path)
        if file is not None:
            self._files.move_to_end(item.entry.path)
            return file
        folder, _ = self._folders.parent(item.path)
        if item.made:
            file = os.open(item.temporary, REOPEN, dir_fd=folder)
            self._keep_open(item.entry.path, file)
        else:
            file = os.open(item.temporary, CREATE, 0o600, dir_fd=folder)
            item.made = True
            self._keep_open(item.entry.path, file)
            self._shape(file, item)
        return file

    def _shape(self, file: int, item: Item) -> None:
        """Give a new file its size, and room for its content."""
        os.ftruncate(file, item.entry.size)
        if item.left >= PREALLOCATED and item.left == item.entry.size:
            fallocate(file, item.left)
        device = os.fstat(file).st_dev
        if device not in self._disks:
            self._disks[device] = os.dup(file)

    def _keep_open(self, path: bytes, file: int) -> None:
        self._files[path] = file
        while len(self._files) > KEPT_OPEN:
            os.close(self._files.popitem(last=False)[1])

    def _close(self, item: Item) -> None:
        file = self._files.pop(item.entry.path, None)
        if file is not None:
            os.close(file)

    def _remove(self, item: Item) -> None:
        if not item.made:
            return
        with suppress(OSError):
            folder, _ = self._folders.parent(item.path)
            os.unlink(item.temporary, dir_fd=folder)
