"""The share of one process in a restore: it writes content to files and names those it made."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from common.components.files.metadata import Applier, Born, set_time
from common.components.files.restoring.arriving import CREATE, Item, remove
from common.components.files.restoring.arriving import replace as give_name
from common.components.files.restoring.folders import Folders
from common.components.notes import Notes
from common.openfiles import share_of_open_files
from common.repository.entry import Entry

KEPT_OPEN, OPEN_PART = 256, 3
KEPT_BORN = 1024


@dataclass(slots=True)
class Failed:
    """The file of an entry could not be restored as ``path``."""

    entry: bytes
    path: bytes
    error: OSError


@dataclass(slots=True)
class Written:
    """What a process has written: bytes of files in pieces, and the entries that it has whole."""

    parts: dict[bytes, int] = field(default_factory=dict)
    whole: list[bytes] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    warnings: Notes = field(default_factory=Notes)


@dataclass(slots=True)
class Named:
    """How many files a process gave their names, and their sizes in sum."""

    entries: int = 0
    bytes: int = 0


class Writing:
    """Writes pieces to the files of ``items``; failures go to ``failures``.

    It is for a process of its own: what this one makes has just the mode that it asks for.
    """

    def __init__(self, folders: Folders, applier: Applier, items: Mapping[bytes, Item]) -> None:
        os.umask(0)
        self.written = Written()
        self.failures: list[Failed] = []
        self._folders = folders
        self._applier = applier._replace(warn=self.written.warnings.add)
        self._items = items
        self._failed: set[bytes] = set()
        self._files: OrderedDict[bytes, int] = OrderedDict()
        self._most = share_of_open_files(KEPT_OPEN, OPEN_PART)
        self._born: dict[bytes, tuple[Born, int]] = {}
        self._trusted = {0, os.geteuid()}

    def write(self, entry: Entry, offset: int, piece: bytes | memoryview) -> None:
        """Put a piece in its place. The only piece of a file makes the file, and it is whole."""
        item = self._items.get(entry.path)
        if item is None or entry.path in self._failed:
            return
        try:
            if item.made:
                _write(self._file(item), piece, offset)
                parts = self.written.parts
                parts[entry.path] = parts.get(entry.path, 0) + len(piece)
            else:
                self._make(item, piece)
                self.written.whole.append(entry.path)
        except OSError as error:
            self._fail(item, error)

    def give_names(self) -> Named:
        """Name the files that this process made, as soon as they are on the disk."""
        named = Named()
        for path in self.written.whole:
            item = self._items[path]
            try:
                give_name(self._folders, item.path, item.temporary)
            except OSError as error:
                remove(self._folders, item.path, item.temporary)
                self._fail(item, error)
            else:
                named.entries += 1
                named.bytes += item.entry.size
        return named

    def _make(self, item: Item, piece: bytes | memoryview) -> None:
        entry, path = item.entry, item.path.rpartition(b"/")[0]
        folder, born = self._folders.file(path), self._known(entry, path)
        ready = born is not None and self._applier.needs_only_mode(entry, born)
        file = os.open(item.temporary, CREATE, entry.mode if ready else 0o600, dir_fd=folder)
        try:
            _write(file, piece, 0)
            if ready:
                set_time(entry, file)
            else:
                self._applier.apply(entry, file, born or self._birth(path, folder, file))
        except OSError:
            with suppress(OSError):
                os.unlink(item.temporary, dir_fd=folder)
            raise
        finally:
            os.close(file)

    def _known(self, entry: Entry, path: bytes) -> Born | None:
        """What a new file of a folder is like, if that is known: all of them are alike.

        The folder's owner can change it at any time, so for the files of others it is not known.
        """
        born, owner = self._born.get(path, (None, 0))
        return born if owner in self._trusted or owner == self._applier.owner(entry)[0] else None

    def _birth(self, path: bytes, folder: int, file: int) -> Born:
        if len(self._born) >= KEPT_BORN:
            self._born.clear()
        born = Born.of(file)
        self._born[path] = born, os.fstat(folder).st_uid
        return born

    def _file(self, item: Item) -> int:
        file = self._files.get(item.temporary)
        if file is not None:
            self._files.move_to_end(item.temporary)
            return file
        folder, _ = self._folders.parent(item.path)
        file = self._files[item.temporary] = item.reopen(folder)
        while len(self._files) > self._most:
            os.close(self._files.popitem(last=False)[1])
        return file

    def _fail(self, item: Item, error: OSError) -> None:
        self._failed.add(item.entry.path)
        self.failures.append(Failed(item.entry.path, item.path, error))


def _write(file: int, piece: bytes | memoryview, offset: int) -> None:
    written = os.pwrite(file, piece, offset)
    while written < len(piece):
        written += os.pwrite(file, memoryview(piece)[written:], offset + written)
