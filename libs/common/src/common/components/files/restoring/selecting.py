"""Which entries of a source are restored, and under which name."""

from collections.abc import Iterator
from typing import NamedTuple

from common.components.component import Select
from common.components.names import beneath, show
from common.errors import Conflict
from common.repository.entry import Entry, EntryType, data_size
from common.repository.tree import ContentDamaged, Source

_tuple = tuple.__new__  # what a NamedTuple calls in the end, in half the time


class Wanted(NamedTuple):
    """An entry to restore as ``path``. ``lead`` is a folder that only leads to what is wanted."""

    entry: Entry
    path: bytes
    lead: bool = False


class Selection:
    """The wanted entries of a source, each after the folders that lead to it.

    A hard link may be wanted without the entry that carries its content: that one is then restored
    under the link's name. ``roots`` are the places that the backup was asked for; what leads to
    them is never more than a lead. ``within`` are the only places that may be touched.
    """

    def __init__(
        self,
        source: Source,
        select: Select | None,
        roots: list[bytes],
        within: list[bytes] | None = None,
    ) -> None:
        self._source = source
        self._select = select
        self._roots = [*roots, *(within or ())]
        self._within = within
        self._carriers: dict[bytes, bytes] = {}
        self._carried: set[bytes] = set()
        self.damaged = False
        self.size = 0

    def prepare(self) -> Iterator[bytes]:
        """Look at all entries once, where that is needed; the paths of what is wanted.

        After the last one ``size`` is that of their data.
        """
        for entry in self._entries():
            if not self._wants(entry.path):
                continue
            yield entry.path
            if entry.type is EntryType.HARDLINK and not self._wants(entry.target):
                self._carried.add(self._carriers.setdefault(entry.target, entry.path))
            self.size += data_size(entry)
        if self._carriers:
            self.size += sum(
                data_size(each) for each in self._entries() if each.path in self._carriers
            )

    def __iter__(self) -> Iterator[Wanted]:
        leads: list[Entry] = []
        for entry in self._entries():
            if self._select is None and entry.type is EntryType.FILE and self._within is None:
                yield _tuple(Wanted, (entry, entry.path, False))  # by far the most
                continue
            while leads and not beneath(entry.path, leads[-1].path):
                leads.pop()
            if self._wants(entry.path):
                carried = entry.path in self._carried
                self.check(entry.path, leads=entry.type is EntryType.DIRECTORY)
                if entry.type is EntryType.HARDLINK and not carried:
                    self.check(entry.target, leads=False)
                for lead in leads:
                    yield Wanted(lead, lead.path, lead=True)
                leads.clear()
                if not carried:
                    yield Wanted(entry, entry.path, lead=self._above(entry))
            elif entry.path in self._carriers:
                yield Wanted(entry, self._carriers[entry.path])
            elif entry.type is EntryType.DIRECTORY:
                leads.append(entry)

    def check(self, path: bytes, *, leads: bool = True) -> None:
        """Refuse what lies elsewhere than restored may be; a folder that leads there may be.

        Raises:
            Conflict: it does. What comes before it in the backup may have been restored.
        """
        if self._within is None:
            return
        if not any(beneath(path, root) or (leads and beneath(root, path)) for root in self._within):
            raise Conflict(
                f"{show(b'/' + path)} is not among the paths of this component here.",
                remedy="Restore it into a folder, or add the path to components.toml.",
            )

    def name(self, target: bytes) -> bytes:
        """Where the entry that a hard link names is restored."""
        return self._carriers.get(target, target)

    def _wants(self, path: bytes) -> bool:
        return self._select is None or self._select(path)

    def _above(self, entry: Entry) -> bool:
        return entry.type is EntryType.DIRECTORY and any(
            root != entry.path and beneath(root, entry.path) for root in self._roots
        )

    def _entries(self) -> Iterator[Entry]:
        try:
            yield from self._source.entries()
        except ContentDamaged:
            self.damaged = True
