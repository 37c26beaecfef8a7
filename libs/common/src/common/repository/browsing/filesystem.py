"""All backups as one tree of folders to look around in; nothing can be changed there.

``/<time> <name>/<component>/…``, and ``/latest`` leads to the newest. What a system that mounts it
needs is here; how it is mounted is not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from common.errors import NotFound
from common.repository.browsing.content import ContentReader
from common.repository.browsing.indexed import IndexedTree
from common.repository.entry import Entry, EntryType, show_path
from common.repository.format.blockreader import StoredEntry
from common.repository.format.chunklist import ChunkList
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.reading.fetch import Fetcher
from common.repository.reading.trees import OnDamage

LATEST = b"latest"
_TREES = 4
_FOLDER_MODE = 0o555


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path leads: a backup, a component of it, and what is left of the path."""

    info: SnapshotInfo | None = None
    component: StoredComponent | None = None
    rest: bytes = b""


class FileSystem:
    """The backups that were there when it was opened. May be used by one thread at a time."""

    def __init__(
        self, fetcher: Fetcher, snapshots: list[SnapshotInfo], on_damage: OnDamage
    ) -> None:
        self._backups: dict[bytes, SnapshotInfo] = {}
        for info in snapshots:
            name = _name(info)
            taken = name in self._backups
            self._backups[name + b" " + info.id[:12].encode() if taken else name] = info
        self._content = ContentReader(fetcher)
        self._tree: Callable[[ChunkList], IndexedTree] = lru_cache(_TREES)(
            lambda tree: IndexedTree(fetcher, tree, on_damage)
        )

    def stat(self, path: bytes) -> Entry:
        """What is at a path; ``path`` of the entry may be another one. Raises ``NotFound``."""
        if path == LATEST and self._backups:
            target = next(reversed(self._backups))
            return Entry(path, EntryType.SYMLINK, mode=0o777, target=target, size=len(target))
        place = self._find(path)
        if place.component is None or not place.rest:
            return _folder(path, place.info)
        return self._tree(place.component.tree).file(place.rest)

    def names(self, path: bytes) -> Iterator[bytes]:
        """The names in a folder. Raises ``NotFound``."""
        place = self._find(path)
        if place.info is None:
            yield from self._backups
            if self._backups:
                yield LATEST
        elif place.component is None:
            yield from (os_name(each.name) for each in place.info.components)
        else:
            tree = self._tree(place.component.tree)
            if place.rest:
                tree.entry(place.rest)
            for entry in tree.folder(place.rest):
                yield entry.path.rpartition(b"/")[2]

    def read(self, path: bytes, offset: int, size: int) -> bytes:
        """A part of a file.

        Raises:
            NotFound: there is no such file.
            Corrupt: it cannot be read.
        """
        entry = self.stat(path)
        if not isinstance(entry, StoredEntry):
            raise NotFound(f"{show_path(path)} is no file.")
        return self._content.read(entry, offset, size)

    def _find(self, path: bytes) -> _Place:
        if not path:
            return _Place()
        backup, _, rest = path.partition(b"/")
        info = self._backups.get(backup)
        if info is None:
            raise NotFound(f"There is no backup {show_path(backup)}.")
        if not rest:
            return _Place(info)
        name, _, rest = rest.partition(b"/")
        for component in info.components:
            if os_name(component.name) == name:
                return _Place(info, component, rest)
        raise NotFound(f"The backup has no component {show_path(name)}.")


def os_name(name: str) -> bytes:
    """A name as that of a folder."""
    return name.replace("/", "-").replace("\0", "").encode("utf-8", "surrogateescape") or b"-"


def _name(info: SnapshotInfo) -> bytes:
    return os_name(f"{info.created:%Y-%m-%d %H.%M.%S} {info.backup_name or info.id[:12]}")


def _folder(path: bytes, info: SnapshotInfo | None) -> Entry:
    mtime = 0 if info is None else int(info.created.timestamp() * 1_000_000_000)
    return Entry(path, EntryType.DIRECTORY, mode=_FOLDER_MODE, mtime_ns=mtime)
