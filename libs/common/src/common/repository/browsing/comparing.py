"""What changed from one backup to another. Parts of the trees that are the same are not read, but
for the files that hard links name, where these were linked anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from common.repository.damage import Damaged
from common.repository.entry import EntryType
from common.repository.format.blockreader import StoredEntry
from common.repository.format.chunklist import ChunkList, Item
from common.repository.format.snapshot import StoredComponent
from common.repository.reading.fetch import Fetcher, below
from common.repository.reading.trees import OnDamage, entries, read_block

_MOST_OPEN = 50_000
"""Entries without a counterpart so far; past that those that can have none are told. So many were
linked anew at most before it is looked up what they name.
"""


class ChangeKind(StrEnum):
    """In which way an entry differs."""

    ADDED = "added"
    REMOVED = "removed"
    CONTENT = "content"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that differs. ``before`` or ``after`` is None where it was not there."""

    kind: ChangeKind
    path: bytes
    before: StoredEntry | None
    after: StoredEntry | None


_Pair = tuple[StoredEntry, StoredEntry]


def compare(
    fetcher: Fetcher,
    before: StoredComponent | None,
    after: StoredComponent | None,
    on_damage: OnDamage,
) -> Iterator[Change]:
    """The differences of two components, in no certain order; None is one without entries."""
    trees = [ChunkList() if each is None else each.tree for each in (before, after)]
    left, right = _differing(fetcher, trees[0], trees[1], on_damage)
    linked: list[_Pair] = []
    for change in _Matching().run(
        _entries(fetcher, left, on_damage), _entries(fetcher, right, on_damage)
    ):
        match change:
            case Change(ChangeKind.CONTENT, _, StoredEntry() as old, StoredEntry() as new) if (
                EntryType.HARDLINK in (old.type, new.type)
            ):
                linked.append((old, new))
            case _:
                yield change
        if len(linked) == _MOST_OPEN:
            yield from _linked_anew(fetcher, trees, linked, on_damage)
            linked.clear()
    yield from _linked_anew(fetcher, trees, linked, on_damage)


def _linked_anew(
    fetcher: Fetcher, trees: Sequence[ChunkList], linked: list[_Pair], on_damage: OnDamage
) -> Iterator[Change]:
    """What changed of names that are, or were, of a file that is stored under another one."""
    before = _named(fetcher, trees[0], [old for old, _ in linked], on_damage)
    after = _named(fetcher, trees[1], [new for _, new in linked], on_damage)
    for (old, new), one, other in zip(linked, before, after, strict=True):
        kind = ChangeKind.CONTENT if _has_other_content(one, other) else ChangeKind.METADATA
        yield Change(kind, old.path, old, new)


def _named(
    fetcher: Fetcher, tree: ChunkList, found: list[StoredEntry], on_damage: OnDamage
) -> list[StoredEntry]:
    """For each hard link the entry that it names, if that can be read; the others as they are."""
    wanted = {entry.target for entry in found if entry.type is EntryType.HARDLINK}
    named: dict[bytes, StoredEntry] = {}
    if wanted:
        for entry in entries(fetcher, tree, on_damage):
            if entry.path in wanted:
                named[entry.path] = entry
                if len(named) == len(wanted):
                    break
    return [
        named.get(entry.target, entry) if entry.type is EntryType.HARDLINK else entry
        for entry in found
    ]


def _differing(
    fetcher: Fetcher, before: ChunkList, after: ChunkList, on_damage: OnDamage
) -> tuple[list[Item], list[Item]]:
    """The blocks that only one of two trees has, in order, expanded level by level."""
    left, right = list(before.root), list(after.root)
    for level in range(max(before.level, after.level), -1, -1):
        if level <= min(before.level, after.level):
            left, right = _without_common(left, right)
        if level:
            left = _expand(fetcher, left, on_damage) if level <= before.level else left
            right = _expand(fetcher, right, on_damage) if level <= after.level else right
    return left, right


def _without_common(left: list[Item], right: list[Item]) -> tuple[list[Item], list[Item]]:
    common = {chunk_id for chunk_id, _ in left} & {chunk_id for chunk_id, _ in right}
    return (
        [item for item in left if item[0] not in common],
        [item for item in right if item[0] not in common],
    )


def _expand(fetcher: Fetcher, found: list[Item], on_damage: OnDamage) -> list[Item]:
    expanded: list[Item] = []
    for item in chain.from_iterable(below(fetcher, *each) for each in found):
        if isinstance(item, Damaged):
            on_damage(item)
        else:
            expanded.append(item)
    return expanded


def _entries(fetcher: Fetcher, found: Iterable[Item], on_damage: OnDamage) -> Iterator[StoredEntry]:
    for item in found:
        try:
            block = read_block(fetcher, *item)
        except Damaged as error:
            on_damage(error)
        else:
            yield from block.entries


class _Matching:
    """Brings the entries of two sides together by their paths.

    Components write their entries in the order of their paths' parts, or are small. So the sides
    go forward together, and of an entry that neither side can still have a counterpart for it is
    known early that it was added or removed.
    """

    def __init__(self) -> None:
        self._open: tuple[dict[bytes, StoredEntry], dict[bytes, StoredEntry]] = ({}, {})
        self._last: list[list[bytes]] = [[], []]

    def run(self, before: Iterator[StoredEntry], after: Iterator[StoredEntry]) -> Iterator[Change]:
        """The changes."""
        sides, running = (before, after), {0, 1}
        while running:
            side = min(running, key=self._last.__getitem__)
            entry = next(sides[side], None)
            if entry is None:
                running.discard(side)
                continue
            yield from self._take(side, entry)
            if sum(map(len, self._open)) > _MOST_OPEN:
                yield from self._close(min(self._last[each] for each in running))
        yield from self._close(None)

    def _take(self, side: int, entry: StoredEntry) -> Iterator[Change]:
        self._last[side] = max(self._last[side], entry.path.split(b"/"))
        other = self._open[1 - side].pop(entry.path, None)
        if other is None:
            self._open[side][entry.path] = entry
            return
        before, after = (other, entry) if side else (entry, other)
        kind = _difference(before, after)
        if kind is not None:
            yield Change(kind, entry.path, before, after)

    def _close(self, until: list[bytes] | None) -> Iterator[Change]:
        for side, kind in enumerate((ChangeKind.REMOVED, ChangeKind.ADDED)):
            waiting = self._open[side]
            over = [path for path in waiting if until is None or path.split(b"/") < until]
            for path in over:
                entry = waiting.pop(path)
                yield Change(kind, path, *((None, entry) if side else (entry, None)))


def _difference(before: StoredEntry, after: StoredEntry) -> ChangeKind | None:
    if before == after:
        return None
    return ChangeKind.CONTENT if _has_other_content(before, after) else ChangeKind.METADATA


def _has_other_content(before: StoredEntry, after: StoredEntry) -> bool:
    content = ("type", "size", "target", "device", "content")
    return any(getattr(before, name) != getattr(after, name) for name in content)
