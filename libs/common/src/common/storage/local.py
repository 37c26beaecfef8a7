"""Objects as files in a folder, by blocking calls: what the repository engine writes and reads."""

import mmap
import os
import stat
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from common.byteslike import BytesLike
from common.errors import Corrupt, Invalid, NotFound
from common.storage.draft import FILE_MODE, Draft
from common.storage.failures import explain, explained
from common.storage.folders import close_to_others, make_folders, sync_folder
from common.storage.store import TEMPORARY, ObjectInfo, check_name, check_range

if TYPE_CHECKING:
    from datetime import datetime


class LocalDirectory:
    """A folder of objects. Errors are those of ``ObjectStore``; names are checked everywhere.

    Files are 0600 and the folders made here 0700, whatever the umask. Unfinished objects stand in
    the folder ``tmp`` and carry the name of their owner, so that those of a dead run can be found.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Create the folder and its parents, or close an empty one of ours to others."""
        with explained(self.path):
            if self.path.is_dir():
                close_to_others(self.path)
            else:
                make_folders(self.path)

    def begin(self, owner: str) -> Draft:
        """A new unfinished object of ``owner``: a run's id, made of letters, digits and ``-``."""
        return Draft(self.path, owner)

    def write(
        self, name: str, source: BytesLike | Iterable[BytesLike], *, owner: str
    ) -> ObjectInfo:
        """Store ``source``, one buffer or several, as the object ``name``: atomic and durable."""
        check_name(name)
        with self.begin(owner) as draft:
            for piece in [source] if isinstance(source, BytesLike) else source:
                draft.write(piece)
            return draft.commit(name)

    def open(self, name: str) -> FileIO:
        """The object as an unbuffered file, for many reads; the caller closes it."""
        path = f"{self.path}/{check_name(name)}"  # a Path would take as long as opening it
        with explained(self.path, name):
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
            return FileIO(path, "rb", opener=lambda file, _: os.open(file, flags))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes from ``offset``, at most ``length`` of them: fewer only at the object's end."""
        check_range(offset, length)
        with self.open(name) as file, explained(self.path, name):
            size = os.fstat(file.fileno()).st_size
            left = max(0, size - offset) if length is None else min(length, max(0, size - offset))
            data = os.pread(file.fileno(), left, offset)
            while len(data) < left and (
                more := os.pread(file.fileno(), left - len(data), offset + len(data))
            ):
                data += more
            return data

    def map(self, name: str) -> mmap.mmap:
        """The object in memory, read-only. ``Corrupt`` when it is empty: nothing to map."""
        with self.open(name) as file, explained(self.path, name):
            if not os.fstat(file.fileno()).st_size:
                raise Corrupt(f"The object {name} in {self.path} is empty.")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def stat(self, name: str) -> ObjectInfo:
        """The object's size."""
        path = self.path / check_name(name)
        with explained(self.path, name):
            found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise NotFound(f"There is no object {name} in {self.path}.")
        return ObjectInfo(name, found.st_size)

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        try:
            self.stat(name)
        except NotFound:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object whose name starts with ``prefix``, sorted within each folder."""
        yield from self._walk("", prefix)

    def delete(self, name: str) -> None:
        """Remove the object, durably. Nothing happens when there is none."""
        self.delete_all([name])

    def delete_all(self, names: Iterable[str]) -> None:
        """Remove these objects, in any order, durably when this returns."""
        folders = set()
        for name in names:
            path = self.path / check_name(name)
            # Also when it is gone: whoever removed it may have died before that was durable.
            folders.add(name.rpartition("/")[0])
            with suppress(NotFound), explained(self.path, name):
                path.unlink()
        self.settle(*sorted(folders))

    def settle(self, *folders: str) -> None:
        """Make durable what is seen in these folders; "" is the outermost.

        A name that can be seen may be that of a process which died, or waits, before its sync: it
        is settled before anything durable rests on it.
        """
        for folder in folders:
            with suppress(NotFound), explained(self.path, folder):
                sync_folder(self.path / folder)

    def settle_all(self) -> None:
        """Make durable every object that is seen, whoever wrote it."""
        folders = {info.name.rpartition("/")[0] for info in self.list()}
        self.settle("", *sorted(folders | {folder.partition("/")[0] for folder in folders}))

    def set_aside(self, name: str, owner: str) -> Path:
        """Keep the file of an object among the unfinished ones of ``owner``, for a time.

        The object itself stays too, until it is replaced or deleted, on file systems that can have
        one file under two names; on others it is gone from its place.
        """
        path = self.path / check_name(name)
        aside = self.path / TEMPORARY / f"{owner}.{os.urandom(8).hex()}"
        with explained(self.path, name):
            make_folders(aside.parent)
            try:
                os.link(path, aside, follow_symlinks=False)
            except PermissionError:  # what Linux says where there are no hard links
                path.rename(aside)
            os.utime(aside)  # its time here begins now
        return aside

    def leftovers(
        self, owner: str | None = None, before: "datetime | None" = None
    ) -> Sequence[Path]:
        """Unfinished objects: of one owner, or last written before some time, or all."""
        from datetime import UTC, datetime  # noqa: PLC0415 - a process that reads files ages none

        found = []
        for entry in self._scan(TEMPORARY):
            if owner is not None and _owner(entry.name) != owner:
                continue
            try:
                written = datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)
            except FileNotFoundError:
                continue
            if before is None or written < before:
                found.append(Path(entry.path))
        return found

    def show_life(self, owner: str) -> None:
        """Leave an empty unfinished object of ``owner`` that is as old as the last such call."""
        path = self.path / TEMPORARY / f"{owner}.alive"
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with explained(self.path):
            make_folders(path.parent)
            file = os.open(path, flags, FILE_MODE)
            try:
                os.utime(file)
            finally:
                os.close(file)

    def at_work(self, since: "datetime") -> set[str]:
        """The owners of unfinished objects that were written since then."""
        old = set(self.leftovers(before=since))
        return {_owner(path.name) for path in self.leftovers() if path not in old}

    def discard(
        self,
        owner: str | None = None,
        before: "datetime | None" = None,
        *,
        sparing: Container[str] = (),
    ) -> int:
        """Remove these unfinished objects, but no owner's to be spared; say how many there were."""
        found = [path for path in self.leftovers(owner, before) if _owner(path.name) not in sparing]
        with explained(self.path):
            for path in found:
                path.unlink(missing_ok=True)
        return len(found)

    def _walk(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        for entry in self._scan(folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            try:
                check_name(name)
                if entry.is_dir(follow_symlinks=False):
                    if prefix.startswith(f"{name}/") or f"{name}/".startswith(prefix):
                        yield from self._walk(name, prefix)
                elif name.startswith(prefix) and entry.is_file(follow_symlinks=False):
                    yield ObjectInfo(name, entry.stat(follow_symlinks=False).st_size)
            except (Invalid, FileNotFoundError):
                continue  # not an object of ours, or deleted meanwhile

    def _scan(self, folder: str) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self.path}/{folder}") as entries:
                return sorted(entries, key=attrgetter("name"))
        except OSError as error:
            explained_error = explain(error, self.path, folder)
            if folder and isinstance(explained_error, NotFound):
                return []
            raise explained_error from error


def _owner(name: str) -> str:
    return name.partition(".")[0]
