"""A stretch of a tree: what is stored between two borders that the paths decide."""

from collections.abc import Iterator, Sequence

from blake3 import blake3

from common.repository.entry import Entry
from common.repository.format.block import ends_block, first_end
from common.repository.found import STATE, Found, OpenFolder
from common.repository.ingesting.reading import Outcome

MOST_ENTRIES = 4096
MOST_FOLDERS = 200
"""Fewer for an account that may open few files; then blocks end in other places."""

_OWNER = slice(4, 12)
"""Where the numbers of the owners stand in a state."""


class Stretch:
    """Entries one after another, and what became of reading the files among them.

    Whoever makes backups of the same tree again meets the same stretches: their borders are those
    of the blocks that they are stored in.
    """

    __slots__ = (
        "_at_end",
        "_last_folder",
        "_most_folders",
        "ended",
        "folders",
        "others",
        "outcomes",
        "paths",
        "seen",
        "states",
        "waiting",
    )

    def __init__(self, most_folders: int = MOST_FOLDERS) -> None:
        self.paths: list[bytes] = []
        self.states: list[bytes] = []
        self.seen: list[Found | Entry] = []
        self.folders = 0
        self.waiting = 0
        self.ended = False
        self.outcomes: dict[int, Outcome] = {}
        self.others: dict[int, bytes] = {}
        """The states of those files that were read in another one than they were seen in."""

        self._at_end = False
        self._most_folders = most_folders
        self._last_folder: OpenFolder | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def add_found(self, found: Sequence[Found]) -> int:
        """Append what was seen in one folder, up to where the stretch ends; how much that was."""
        folder = found[0].folder
        if folder is not self._last_folder:
            self._last_folder = folder
            self.folders += 1
        full = self.folders >= self._most_folders
        most = 1 if full else MOST_ENTRIES - len(self.paths)
        paths = [each.path for each in found[:most]]
        end = first_end(paths)
        self.ended = end is not None or len(paths) == most
        count = end or len(paths)
        self.paths += paths[:count]
        self.states += [each.state for each in found[:count]]
        self.seen += found[:count]
        return count

    def add_entry(self, entry: Entry) -> None:
        """Append an entry without content."""
        self.paths.append(entry.path)
        self.states.append(blake3(repr(entry).encode()).digest(length=STATE.size))
        self.seen.append(entry)
        self.ended = ends_block(entry.path) or len(self.paths) >= MOST_ENTRIES

    def end_tree(self) -> None:
        """Note that nothing comes after this stretch: it is found again by that."""
        self._at_end = True

    @property
    def end(self) -> bytes:
        """What the stretch is found by that ends here next time: the path that ends it."""
        return b"\0" if self._at_end else self.paths[-1]

    @property
    def begin(self) -> bytes:
        """What the stretch is found by that begins here next time; no end is the same."""
        return b"\0\0" + self.paths[0]

    def fingerprint(self, key: bytes, owners: bytes) -> bytes:
        """What two stretches have in common that are the same, entry by entry; 16 bytes."""
        digest = blake3(owners, key=key)
        digest.update(len(self.paths).to_bytes(8, "little"))
        digest.update(b"".join(self.states))
        digest.update(b"\0".join(self.paths))
        return bytes(digest.digest(length=16))

    def owners(self) -> bytes:
        """Each user and group that owns something here: two numbers of 32 bits."""
        return b"".join(sorted({self.states[number][_OWNER] for number, _ in self.found()}))

    def found(self) -> Iterator[tuple[int, Found]]:
        """What was seen in a file system, by its number in the stretch."""
        for number, seen in enumerate(self.seen):
            if not isinstance(seen, Entry):
                yield number, seen
