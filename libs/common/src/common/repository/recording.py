"""The sink of a run: entries and content of one component, on their way into the repository."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from common.errors import Invalid
from common.repository.entry import Entry, EntryType, check_entry
from common.repository.found import Found
from common.repository.ingesting.assembling import Assembler
from common.repository.ingesting.contents import ContentWriter
from common.repository.progress import Progress
from common.repository.writing.listing import TreeWriter

if TYPE_CHECKING:
    from common.repository.format.blockreader import StoredEntry


class Recorder:
    """The ``Sink`` of one component."""

    def __init__(
        self,
        tree: TreeWriter,
        contents: ContentWriter,
        assembler: Assembler,
        progress: Progress,
    ) -> None:
        self._tree = tree
        self._contents = contents
        self._assembler = assembler
        self._progress = progress

    def add(self, entry: Entry) -> None:
        """Take an entry without content."""
        if entry.type is EntryType.FILE and entry.size and entry.extents != ():
            raise Invalid(f"{entry.path[-200:]!r} is a file with content: add_stream takes it.")
        check_entry(entry)
        self._progress.entry(entry.path)
        self._assembler.add_entry(entry)

    def add_found(self, found: Sequence[Found]) -> None:
        """Take what is in a folder; a file that cannot be read is left out with a warning."""
        self._progress.entry(found[-1].path, len(found))
        self._assembler.add_found(found)

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        """Take a file from a stream; it gets the size that this turns out to have."""
        self._begin(entry)
        content = self._contents.stream(stream)
        self._tree.add(replace(entry, size=content.size, extents=None), content)

    def add_regions(self, entry: Entry, stream: BinaryIO) -> None:
        """Take a sparse file from a stream of the data in the regions that ``entry`` names."""
        self._begin(entry)
        self._tree.add(entry, self._contents.stream(stream))

    def add_stored(self, entry: "StoredEntry") -> None:
        """Take an entry from a backup of this very repository, with the content that it has."""
        self._assembler.flush()
        self._progress.entry(entry.path)
        self._tree.add(entry, entry.content)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self._tree.warn(message)

    def finish(self) -> None:
        """Store all that was taken."""
        self._assembler.finish()

    def _begin(self, entry: Entry) -> None:
        """Begin a file whose content is read now: what was taken before it is stored first."""
        if entry.type is not EntryType.FILE:
            raise Invalid(f"{entry.path[-200:]!r} is a {entry.type}, not a file.")
        check_entry(entry)
        self._assembler.flush()
        self._progress.entry(entry.path)
