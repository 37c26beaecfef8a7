"""What is in a backup: the entries of a folder, and entries by their names."""

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from common.errors import Invalid, NotFound
from common.repository.damage import Damaged
from common.repository.entry import EntryType, plain_path, show_path
from common.repository.format.blockreader import StoredEntry
from common.repository.format.chunklist import Item
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.reading.fetch import Fetcher, items
from common.repository.reading.trees import OnDamage, entries, read_block

_MOST_KEPT = 100_000
"""Hits remembered for blocks that several backups share; past that blocks are read again."""

Matches = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, and where it is."""

    snapshot: SnapshotInfo
    component: str
    entry: StoredEntry


def list_folder(
    fetcher: Fetcher,
    component: StoredComponent,
    folder: bytes,
    on_damage: OnDamage,
    *,
    recursive: bool = False,
) -> Iterator[StoredEntry]:
    """The entries in a folder, or a file by itself; with ``recursive`` also those further down.

    Raises:
        NotFound: there is neither, in what can be read.
    """
    inside, there = folder + b"/" if folder else b"", not folder
    for entry in entries(fetcher, component.tree, on_damage):
        if entry.path == folder:
            there = True
            if entry.type is not EntryType.DIRECTORY:
                yield entry
        elif entry.path.startswith(inside):
            there = True
            if recursive or entry.path.count(b"/", len(inside)) == 0:
                yield entry
    if not there:
        raise NotFound(f"There is no {show_path(folder)} in {component.name}.")


def lookup(fetcher: Fetcher, component: StoredComponent, path: bytes) -> StoredEntry:
    """The file at a path; a hard link stands for the file that it names.

    Raises:
        NotFound: there is none.
        Invalid: it is no file.
        Damaged: there is none in what can be read, and something cannot.
    """
    damage: list[Damaged] = []
    for entry in entries(fetcher, component.tree, damage.append):
        if entry.path != path:
            continue
        if entry.type is EntryType.HARDLINK:
            return lookup(fetcher, component, entry.target)
        if entry.type is not EntryType.FILE:
            raise Invalid(f"{show_path(path)} is a {entry.type}, not a file.")
        return entry
    if damage:
        raise damage[0]
    raise NotFound(f"There is no {show_path(path)} in {component.name}.")


def matching(pattern: str) -> Matches:
    """Wants paths by a shell pattern: with a slash the whole path, else the last part of it.

    A slash at its end says nothing: shells put it there.
    """
    is_whole = "/" in pattern.rstrip("/")
    text = os.fsdecode(plain_path(os.fsencode(pattern)))
    expression = re.compile(fnmatch.translate(text))

    def matches(path: bytes) -> bool:
        whole = path.decode("utf-8", "surrogateescape")
        return bool(expression.match(whole if is_whole else whole.rpartition("/")[2]))

    return matches


class Finder:
    """Searches backups one after another; a block that several share is read once."""

    def __init__(self, fetcher: Fetcher, matches: Matches, on_damage: OnDamage) -> None:
        self._fetcher = fetcher
        self._matches = matches
        self._on_damage = on_damage
        self._known: dict[bytes, tuple[StoredEntry, ...]] = {}
        self._kept = 0

    def search(self, snapshots: Iterable[SnapshotInfo]) -> Iterator[Found]:
        """The entries that match, backup by backup."""
        for info in snapshots:
            for component in info.components:
                for entry in self._component(component):
                    yield Found(info, component.name, entry)

    def _component(self, component: StoredComponent) -> Iterator[StoredEntry]:
        for item in items(self._fetcher, component.tree):
            try:
                yield from self._block(item)
            except Damaged as error:
                self._on_damage(error)

    def _block(self, item: Item | Damaged) -> tuple[StoredEntry, ...]:
        if isinstance(item, Damaged):
            raise item
        known = self._known.get(item[0])
        if known is not None:
            return known
        block = read_block(self._fetcher, *item)
        found = tuple(entry for entry in block.entries if self._matches(entry.path))
        if self._kept + len(found) <= _MOST_KEPT:
            self._known[item[0]] = found
            self._kept += len(found)
        return found
