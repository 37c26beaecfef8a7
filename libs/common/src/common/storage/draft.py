"""An object that is being written and has no name yet."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from common.byteslike import BytesLike
from common.errors import Error, Invalid, Unavailable
from common.storage.failures import explained
from common.storage.folders import make_folder, sync_folder
from common.storage.store import TEMPORARY, ObjectInfo, check_name, check_size

FILE_MODE = 0o600


class Discarded(Unavailable):
    """What was being written was removed before it had a name: others took its owner for dead."""


class Draft:
    """Takes an object's bytes; nobody sees them before ``commit`` gives them a name.

    As a context manager it aborts unless it was committed. Not for use by two threads at once.
    """

    def __init__(self, root: Path, owner: str) -> None:
        if not owner.isascii() or not owner.replace("-", "").isalnum():
            raise Invalid(f"{owner!r} cannot own an unfinished object.")
        self.size = 0
        self._root = root
        self._path = root / TEMPORARY / f"{owner}.{os.urandom(8).hex()}"
        self._unnamed = True
        with explained(root):
            self._descriptor = self._create()

    def write(self, data: BytesLike) -> None:
        """Append all of ``data``."""
        done = 0
        with explained(self._root), memoryview(data).cast("B") as rest:
            while done < len(rest):
                done += os.write(self._descriptor, rest[done:])
        self.size += done

    def commit(self, name: str) -> ObjectInfo:
        """Make it the object ``name``: durable and visible when this returns.

        Raises:
            Discarded: others have removed it.
        """
        check_name(name)
        check_size(name, self.size)
        with explained(self._root):
            os.fsync(self._descriptor)
            self._close()
            self._rename(self._root / name)
        self._unnamed = False
        return ObjectInfo(name, self.size)

    def abort(self) -> None:
        """Forget it. Nothing happens when it is committed or forgotten already."""
        if self._descriptor >= 0:
            self._close()
        if self._unnamed:
            with explained(self._root):
                self._path.unlink(missing_ok=True)
            self._unnamed = False

    def _create(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, FILE_MODE)
        except FileNotFoundError:
            self._make_parents(self._path)
            descriptor = os.open(self._path, flags, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)
        return descriptor

    def _rename(self, target: Path) -> None:
        try:
            self._path.replace(target)
        except FileNotFoundError as error:
            self._make_parents(target)
            if not self._path.exists():
                raise Discarded from error
            self._path.replace(target)
        sync_folder(target.parent)

    def _make_parents(self, path: Path) -> None:
        # Below the root only: a root that is not there is a disk that is not mounted.
        folder = self._root
        for part in path.relative_to(self._root).parts[:-1]:
            folder /= part
            make_folder(folder)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.abort()
        except Error:
            if error is None:  # else what went wrong first is what matters
                raise
