"""Puts a tree together, in order, from what is remembered and what readers give as they can."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from common.openfiles import allow_open_files, share_of_open_files
from common.repository.entry import Entry
from common.repository.format.chunklist import ITEM
from common.repository.found import Found, is_file
from common.repository.ingesting.contents import ContentWriter
from common.repository.ingesting.filecache import Facts, FileCache, KnownFile, Remembered
from common.repository.ingesting.stretch import MOST_FOLDERS, Stretch
from common.repository.ingesting.tasks import Readers, tasks
from common.repository.ingesting.writing import StretchWriter
from common.repository.writing.listing import TreeWriter

_AHEAD = 96
"""How many stretches may wait to be stored for the one before them."""

OPEN_FOLDERS = 6400
"""How many folders they may keep open meanwhile, where the account may open enough files."""

WAITING_PART, STRETCH_PART = 3, 6
"""They take a third of what may be open, and the stretch that is begun a sixth. The rest is for the
folders that lead to where the walk is, and for all else that a backup opens.
"""

_SETTLED_NS = 2_000_000_000
"""A file touched later than this before it was read may change again with the same times."""

Relied = Callable[[bytes, int], bool]
"""Whether all chunks are stored whose ids begin at every so many bytes; then this run relies on
them.
"""


class _Waiting:
    """A stretch on its way: when it was read at the earliest, and what need not be read.

    ``apart`` says that it has blocks of its own; ``marks`` are the fingerprints of its files that
    were needed so far.
    """

    __slots__ = ("apart", "files", "marks", "read_at", "same", "stretch")

    def __init__(self, stretch: Stretch, *, apart: bool) -> None:
        self.stretch = stretch
        self.apart = apart
        self.read_at = time.time_ns()
        self.same: Remembered | None = None
        self.files: dict[int, KnownFile] = {}
        self.marks: dict[int, bytes] = {}


class Assembler:
    """Takes entries and what was seen, in order, and stores the tree in that order."""

    def __init__(
        self,
        tree: TreeWriter,
        readers: Readers,
        contents: ContentWriter,
        relied: Relied,
        *,
        cache: FileCache | None,
        advance: Callable[[int], None],
    ) -> None:
        self._tree = tree
        self._readers = readers
        self._contents = contents
        self._relied = relied
        self._cache = cache
        self._advance = advance
        allow_open_files()
        self._most_waiting = share_of_open_files(OPEN_FOLDERS, WAITING_PART)
        self._most_in_stretch = share_of_open_files(MOST_FOLDERS, STRETCH_PART)
        self._stretch = Stretch(self._most_in_stretch)
        self._waiting: deque[_Waiting] = deque()

    def add_entry(self, entry: Entry) -> None:
        """Append an entry without content."""
        self._stretch.add_entry(entry)
        if self._stretch.ended:
            self._close(ended=True)

    def add_found(self, found: Sequence[Found]) -> None:
        """Append what a component has seen in one folder."""
        begin = 0
        while begin < len(found):
            begin += self._stretch.add_found(found[begin:] if begin else found)
            if self._stretch.ended:
                self._close(ended=True)

    def finish(self) -> None:
        """Store everything: this is the end of the tree."""
        self._stretch.end_tree()
        if len(self._stretch):
            self._close(ended=True, last=True)
        self.flush()

    def flush(self) -> None:
        """Store everything appended so far."""
        if len(self._stretch):
            self._close(ended=False)
        while self._waiting:
            self._store_next()

    def _close(self, *, ended: bool, last: bool = False) -> None:
        stretch, self._stretch = self._stretch, Stretch(self._most_in_stretch)
        waiting = _Waiting(stretch, apart=ended and stretch.folders > 0)
        if self._cache is not None and waiting.apart:
            self._remember(waiting, self._cache)
        if waiting.same is None:
            wanted = (
                (number, found)
                for number, found in stretch.found()
                if number not in waiting.files and is_file(found.state)
            )
            to_do = list(tasks(stretch, wanted))
            for task in to_do:
                stretch.waiting += 1
                self._readers.submit(task, last=last and task is to_do[-1])
        self._waiting.append(waiting)
        while self._waiting and self._is_due():
            self._store_next()

    def _is_due(self) -> bool:
        if not self._waiting[0].stretch.waiting or len(self._waiting) > _AHEAD:
            return True
        return sum(each.stretch.folders for each in self._waiting) > self._most_waiting

    def _remember(self, waiting: _Waiting, cache: FileCache) -> None:
        """Find out what need not be read."""
        stretch = waiting.stretch
        files: dict[bytes, KnownFile] = {}
        all_there = True
        for remembered in cache.recall(stretch):
            there = self._relied(remembered.items(), ITEM.size)
            if (
                there
                and cache.is_same(stretch, remembered)
                and self._relied(remembered.blocks, ITEM.size)
            ):
                waiting.same = remembered
                return
            all_there = all_there and there
            files |= remembered.files()
        for number, found in stretch.found() if files else ():
            mark = cache.fingerprint(found.path, stretch.states[number])
            waiting.marks[number] = mark
            known = files.get(mark)
            if known is None or not is_file(found.state):
                continue
            if all_there or self._relied(known.items, ITEM.size):
                waiting.files[number] = known

    def _store_next(self) -> None:
        waiting = self._waiting.popleft()
        while waiting.stretch.waiting:
            self._readers.wait()
        if not waiting.apart:
            self._store(waiting)
            return
        self._tree.take_blocks()
        if waiting.same is not None:
            self._keep(waiting.stretch, waiting.same)
            return
        entries, size = self._tree.entries, self._tree.size
        writer = self._store(waiting)
        blocks = self._tree.take_blocks()
        entries, size = self._tree.entries - entries, self._tree.size - size
        if self._cache is not None:
            facts = Facts(writer.whole, blocks, entries, size, writer.plain, writer.known)
            self._cache.put(waiting.stretch, facts, waiting.marks)

    def _keep(self, stretch: Stretch, same: Remembered) -> None:
        self._tree.add_blocks(ITEM.iter_unpack(same.blocks), same.entries, same.size)
        self._advance(same.size)
        if self._cache is not None:
            self._cache.keep(stretch, same)

    def _store(self, waiting: _Waiting) -> StretchWriter:
        stretch = waiting.stretch
        settled = waiting.read_at - _SETTLED_NS
        writer = StretchWriter(stretch, self._tree, self._contents, settled)
        items = b"".join(known.items for known in waiting.files.values())
        self._advance(sum(length for _, length in ITEM.iter_unpack(items)))
        outcomes = stretch.outcomes
        for number, seen in enumerate(stretch.seen):
            if isinstance(seen, Entry):
                writer.entry(seen)
            elif number in outcomes:  # most, where there is much to do
                writer.read_file(number, seen, outcomes[number])
            elif number in waiting.files:
                writer.known_file(number, seen, waiting.files[number])
            else:
                writer.described(seen)
        return writer
