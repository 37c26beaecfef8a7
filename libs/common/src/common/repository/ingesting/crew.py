"""Reading files: in this process, and where there is much, in others beside it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from common.repository.index.knownpacks import KnownPacks
from common.repository.ingesting.assignment import Assignment
from common.repository.ingesting.inline import InlineReaders
from common.repository.ingesting.tasks import Task

if TYPE_CHECKING:
    from common.repository.ingesting.readers import Processes

_WORTHWHILE_BYTES = 96 * 1024**2
_WORTHWHILE_FILES = 8000
"""More than this is worth the start of processes."""

_HANDY_BYTES = 1024**2
_HANDY_FILES = 16
"""Less than this is not worth a message."""


class Results(NamedTuple):
    """What the processes came to: bytes that were not stored before, and bytes written."""

    added: int = 0
    stored: int = 0


class Crew:
    """Does small amounts of work itself, and starts processes for more.

    ``assignment`` is what a process is told first, but for its threads: one that begins with a
    large file is likely to be alone with it. ``advance`` is told the number of bytes read.
    """

    def __init__(
        self,
        size: int,
        inline: InlineReaders,
        assignment: Assignment,
        known: KnownPacks,
        advance: Callable[[int], None],
    ) -> None:
        self._size = size
        self._inline = inline
        self._assignment = assignment
        self._known = known
        self._advance = advance
        self._readers: Processes | None = None
        self._bytes = self._files = 0

    @property
    def was_started(self) -> bool:
        """Whether there were, or may have been, other processes."""
        return self._readers is not None

    def submit(self, task: Task, *, last: bool = False) -> None:
        """Have a task done; waits while every process has enough to do.

        The ``last`` one is not worth the start of a first process, however large: threads compress
        for it here, too, and there is nothing else to do meanwhile.
        """
        self._bytes += task.size
        self._files += len(task.files)
        worthwhile = self._bytes > _WORTHWHILE_BYTES or self._files > _WORTHWHILE_FILES
        handy = task.size <= _HANDY_BYTES and len(task.files) <= _HANDY_FILES
        alone = last and self._readers is None
        if handy or alone or not self._size or not worthwhile:
            self._inline.submit(task)
        else:
            self._others().submit(task)
        if self._readers is not None:
            self._readers.collect(0)

    def wait(self) -> None:
        """Wait until a process has done something.

        Raises:
            ReaderLost: one has ended, or none has said a word for a long time.
            Error: one has failed.
        """
        self._others().wait()

    def finish(self) -> Results:
        """Have everything made durable and listed."""
        return Results() if self._readers is None else Results(*self._readers.finish())

    def end(self) -> None:
        """End the processes; each removes what it has not listed. Repeatable."""
        if self._readers is not None:
            self._readers.end()

    def _others(self) -> "Processes":
        if self._readers is None:
            # Most backups find little that is new, and shall not wait for what starts processes.
            from common.repository.ingesting.readers import Processes  # noqa: PLC0415 - see above

            self._readers = Processes(self._size, self._assignment, self._known, self._advance)
        return self._readers
