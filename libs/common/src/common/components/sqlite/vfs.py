# ruff: noqa: N802 - SQLite names these methods
"""The two file systems that SQLite is given while its pages are streamed."""

import itertools
from collections import deque
from typing import cast

import apsw

from common.errors import CaptureFailed

MAGIC = b"SQLite format 3\0"
LOCK_BYTE = 1 << 30
"""The page that begins here is never used: it serves as a lock."""

_numbers = itertools.count()


class SourceFiles(apsw.VFS):
    """The usual files, with an eye on what is read of page 1."""

    def __init__(self) -> None:
        self.name = f"strongroom-source-{next(_numbers)}"
        self.first_page = b""
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return SourceFile(self, name, flags)


class SourceFile(apsw.VFSFile):
    """A database, its log or its journal."""

    def __init__(
        self, files: SourceFiles, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._files = files
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        data = super().xRead(amount, offset)
        whole_page = amount & (amount - 1) == 0  # the bare header has 100 bytes
        if whole_page and data.startswith(MAGIC):
            self._files.first_page = data
        return data


class PageFiles(apsw.VFS):
    """A database that is not kept: its pages, the second and on, pass by in order."""

    def __init__(self, page_size: int) -> None:
        self.name = f"strongroom-pages-{next(_numbers)}"
        self.pages: deque[bytes] = deque()
        self.place = page_size
        self._page_size = page_size
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        del name, flags
        return cast("apsw.VFSFile", PageFile(self))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        del filename, syncdir

    def xAccess(self, pathname: str, flags: int) -> bool:
        del pathname, flags
        return False

    def xFullPathname(self, name: str) -> str:
        return name

    def take(self, data: bytes, offset: int) -> None:
        """Let a page pass.

        Raises:
            CaptureFailed: it is not the one that comes next, so that the copy would be none.
        """
        if offset == 0:
            return
        if self.place == LOCK_BYTE and offset > LOCK_BYTE:
            self.pages.append(bytes(self._page_size))
            self.place += self._page_size
        if offset != self.place or len(data) != self._page_size:
            raise CaptureFailed(f"SQLite wrote at {offset} where {self.place} was next.")
        self.pages.append(data)
        self.place += len(data)


class PageFile:
    """The one file of such a database."""

    def __init__(self, files: PageFiles) -> None:
        self._files = files

    def xRead(self, amount: int, offset: int) -> bytes:
        del amount, offset
        return b""

    def xWrite(self, data: bytes, offset: int) -> None:
        self._files.take(bytes(data), offset)

    def xFileSize(self) -> int:
        return 0

    def xTruncate(self, newsize: int) -> None:
        del newsize

    def xSync(self, flags: int) -> None:
        del flags

    def xLock(self, level: int) -> None:
        del level

    def xUnlock(self, level: int) -> None:
        del level

    def xCheckReservedLock(self) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xFileControl(self, op: int, ptr: int) -> bool:
        del op, ptr
        return False

    def xClose(self) -> None:
        """Nothing was opened."""
