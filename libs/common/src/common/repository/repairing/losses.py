"""What damage costs each backup, entry by entry."""

from collections.abc import Iterator
from dataclasses import dataclass

from common.repository.checking.treecheck import PackWatch, TreeChecker
from common.repository.damage import Damaged
from common.repository.entry import EntryType, show_path
from common.repository.format.blockreader import StoredEntry
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.reading.fetch import Fetcher, items
from common.repository.reading.trees import read_block


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of a backup that is gone: a path, or all entries that stood after a path.

    ``object`` is what is damaged or missing, ``reason`` says it for people.
    """

    component: str
    path: bytes
    object: str
    reason: str
    all_after: bool = False

    def __str__(self) -> str:
        """For people."""
        shown = show_path(self.path) or "."
        what = f"an unknown number of entries after {shown}" if self.all_after else shown
        return f"{self.component}: {what}: {self.reason}"


class Sieve:
    """Tells what of a component is whole from what is lost."""

    def __init__(self, fetcher: Fetcher, watch: PackWatch) -> None:
        self._fetcher = fetcher
        self._watch = watch
        self._trees = TreeChecker(fetcher, watch, lambda _error, _where, _path: None)

    def losses(self, info: SnapshotInfo) -> Iterator[Loss]:
        """Everything that a backup has lost."""
        for component in info.components:
            for part in self.sift(component):
                if isinstance(part, Loss):
                    yield part

    def sift(self, component: StoredComponent) -> Iterator[StoredEntry | Loss]:
        """The entries of a component in order, and in their places what is lost.

        A hard link is lost with the file that it names.
        """
        lost: set[bytes] = set()
        last = b""
        for entry in self._entries(component):
            if isinstance(entry, Damaged):
                yield Loss(component.name, last, entry.name, entry.message, all_after=True)
                continue
            last = entry.path
            trouble = next(self._trees.troubles(entry), None)
            if trouble is not None:
                lost.add(entry.path)
                yield Loss(component.name, entry.path, trouble.name, trouble.message)
            elif entry.type is EntryType.HARDLINK and entry.target in lost:
                reason = f"it is another name of {show_path(entry.target)}, which is lost."
                yield Loss(component.name, entry.path, "", reason)
            else:
                yield entry

    def _entries(self, component: StoredComponent) -> Iterator[StoredEntry | Damaged]:
        for item in items(self._fetcher, component.tree):
            try:
                if isinstance(item, Damaged):
                    raise item
                block = read_block(self._fetcher, *item)
            except Damaged as error:
                yield error
            else:
                yield from block.entries
