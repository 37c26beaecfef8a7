"""Between the repository and what is backed up: a component writes into a Sink, restores from a
Source. Both are used from one thread at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from common.errors import Corrupt
from common.repository.entry import Entry
from common.repository.found import Found


class ContentDamaged(Corrupt):
    """Some content cannot be read: the repository is damaged."""

    def __init__(self, message: str | None = None, *, paths: tuple[bytes, ...] = ()) -> None:
        super().__init__(message, remedy="Run a check, and restore these from another copy.")
        self.paths = paths


class Sink(Protocol):
    """Takes the entries of one component, a folder before what is in it.

    The mode of an entry is its permission bits (``stat.S_IMODE``). Every call raises ``Invalid``
    for an entry that ``check_entry`` refuses.
    """

    def add(self, entry: Entry) -> None:
        """Take an entry without content: a folder, a link, a device, an empty file."""

    def add_found(self, found: Sequence[Found]) -> None:
        """Take what a component has seen one after another in one open folder, at least one thing:
        all but sockets.

        It may be described and read at any time until the component's context ends, in parallel
        with others, never through a symlink. Holes of a sparse file are found and kept; what is
        stored is what was read. A file that changes while it is read is kept with a warning; one
        that is gone or unreadable is left out with a warning.
        """

    def add_stream(self, entry: Entry, stream: BinaryIO) -> None:
        """Take a file whose content is read from ``stream`` until ``read(n)`` returns ``b""``.

        Everything is read before this call returns; the size is learned from it. What ``stream``
        raises passes through.
        """

    def warn(self, message: str) -> None:
        """Note something that the owner of the backup should know; names of files may be in it."""


class Batch(Protocol):
    """Content of some files, in slices that forked processes may read side by side.

    A file that is not ``pieced`` comes in a single piece with all of its data.
    """

    @property
    def slices(self) -> int:
        """How many there are."""

    @property
    def size(self) -> int:
        """The bytes of all data."""

    @property
    def pieced(self) -> Sequence[Entry]:
        """The files that may come in several pieces, or in part."""

    def pieces(self, number: int) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        """The pieces of one slice, as ``Source.contents`` gives them.

        Raises:
            ContentDamaged: after every intact piece.
        """

    def arrived(self, count: int) -> None:
        """To be called with the bytes that have come, in the process that has the batch."""


class Source(Protocol):
    """Gives back the entries of one component and their content."""

    @property
    def details(self) -> Mapping[str, Any]:
        """What ``capture`` returned."""

    def entries(self, select: Callable[[bytes], bool] | None = None) -> Iterator[Entry]:
        """The entries whose path ``select`` accepts, in the order captured.

        Raises:
            ContentDamaged: after the last entry that can be read, when some could not.
        """

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        """The data of files from ``entries()`` of this very source, as (entry, offset, piece).

        Every piece comes exactly once, in an order that reads the repository fast: pieces of
        different files interleave, those of one file come in any order. ``entries`` is consumed
        lazily. Holes and empty files have no pieces: give the file its size first. Entries without
        content are skipped. A piece is valid until the next one is asked for.

        Raises:
            ContentDamaged: after every intact piece; ``paths`` are the entries that are not whole.
        """

    def batches(self, entries: Iterable[Entry]) -> Iterator[Batch]:
        """The same in batches of bounded size; every piece is in exactly one slice of one of them.

        Raises:
            ContentDamaged: after the last batch, for what is in none of them.
        """

    def expect(self, size: int) -> None:
        """To be told, before any content is read, where only so many bytes of data are wanted."""

    def holds(self, entry: Entry, file: int) -> bool:
        """Whether an open file has the content of an entry of this very source. Reads all of it.

        Raises:
            OSError: it cannot be read.
        """

    def held(self, entry: Entry, file: int) -> int:
        """How many bytes of the content of an entry without holes an open file has at their places.

        ``batches`` leaves them out when it is given the entry next.

        Raises:
            OSError: it cannot be read.
        """

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """The content of one file in order, holes as zeros.

        Raises:
            ContentDamaged: at the first piece that cannot be read.
        """
