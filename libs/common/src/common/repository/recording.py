"""The sink of a run: entries and content of one component, on their way into the repository."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from common.errors import Invalid
from common.repository.entry import Entry, EntryType, show_path
from common.repository.format.blockreader import StoredEntry
from common.repository.format.chunklist import ChunkList
from common.repository.ingest import Ingest, NotReadable, Read
from common.repository.listing import TreeWriter

OnProgress = Callable[[str, int, int | None, int, str], None]
"""Told (phase, bytes done, bytes in all when known, entries, what is being read)."""

_NOTHING = ChunkList()
_EVERY_SECONDS = 0.2


class Progress:
    """Passes on how far a run is, a few times a second."""

    def __init__(self, listener: OnProgress | None) -> None:
        self._listener = listener
        self._told = 0.0
        self.phase = ""
        self.done = 0
        self.entries = 0
        self.current = ""

    def advance(self, count: int) -> None:
        """So many more bytes are read."""
        self.done += count
        self._tell()

    def entry(self, path: bytes) -> None:
        """An entry begins."""
        self.entries += 1
        self.current = path.decode("utf-8", "replace")
        self._tell()

    def begin(self, phase: str) -> None:
        """Another phase begins: always passed on."""
        self.phase, self.current, self._told = phase, "", 0.0
        self._tell()

    def _tell(self) -> None:
        if self._listener is None:
            return
        now = time.monotonic()
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            self._listener(self.phase, self.done, None, self.entries, self.current)


class Recorder:
    """The ``Sink`` of one component."""

    def __init__(self, tree: TreeWriter, ingest: Ingest, progress: Progress) -> None:
        self._tree = tree
        self._ingest = ingest
        self._progress = progress

    def add(self, entry: Entry) -> None:
        """Take an entry without content."""
        if entry.type is EntryType.FILE and entry.size and entry.extents != ():
            raise Invalid(f"{entry.path[-200:]!r} is a file with content: add_file takes it.")
        self._progress.entry(entry.path)
        self._tree.add(entry, _NOTHING)

    def add_file(self, entry: Entry, path: bytes | Path) -> None:
        """Take a regular file; one that cannot be read is left out with a warning."""
        self._check_type(entry)
        self._progress.entry(entry.path)
        try:
            read = self._ingest.file(entry, path)
        except NotReadable as error:
            self.warn(f"{show_path(entry.path)} is left out: {error}.")
            return
        self._keep(read)

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        """Take a file from a stream."""
        self._check_type(entry)
        self._progress.entry(entry.path)
        self._keep(self._ingest.stream(entry, stream))

    def add_regions(self, entry: Entry, stream: BinaryIO) -> None:
        """Take a sparse file from a stream of the data in the regions that ``entry`` names."""
        self._check_type(entry)
        self._progress.entry(entry.path)
        self._keep(self._ingest.regions(entry, stream))

    def add_stored(self, entry: StoredEntry) -> None:
        """Take an entry from a backup of this very repository, with the content that it has."""
        self._progress.entry(entry.path)
        self._tree.add(entry, entry.content)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self._tree.warn(message)

    def _keep(self, read: Read) -> None:
        self._tree.add(read.entry, read.content)
        if read.oddity:
            self.warn(f"{show_path(read.entry.path)} may not be consistent: {read.oddity}.")

    @staticmethod
    def _check_type(entry: Entry) -> None:
        if entry.type is not EntryType.FILE:
            raise Invalid(f"{entry.path[-200:]!r} is a {entry.type}, not a file.")
