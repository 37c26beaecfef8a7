"""What can be backed up: the protocol that every kind of source follows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from common.errors import RestoreFailed
from common.repository.tree import ContentDamaged, Sink, Source

Select = Callable[[bytes], bool]
"""Says of an entry's path whether it is wanted; what leads to a wanted path is made as well."""


class Amount(NamedTuple):
    """Entries, and bytes of content without the holes of sparse files."""

    entries: int
    size: int


class Target(NamedTuple):
    """Where a component is restored to: a folder, a database, or over its source.

    In place means over what this station's own configuration names, never over a path or a
    server that only the backup names.
    """

    directory: Path | None = None
    database: str | None = None
    in_place: bool = False


class RestoreOutcome(NamedTuple):
    """What a restore came to. ``warnings`` name what could not be brought back as it was."""

    entries: int = 0
    size_bytes: int = 0
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = {}


class RestoredInPart(ContentDamaged):
    """The repository has lost some content. ``outcome`` is what came back: all the rest."""

    def __init__(self, message: str, *, paths: tuple[bytes, ...], outcome: RestoreOutcome) -> None:
        super().__init__(message, paths=paths)
        self.outcome = outcome


class PlacedInPart(RestoreFailed):
    """Something could not be put in its place. ``outcome`` is what could: all the rest."""

    def __init__(self, message: str, *, remedy: str, outcome: RestoreOutcome) -> None:
        super().__init__(message, remedy=remedy)
        self.outcome = outcome


class Component(Protocol):
    """A source of backups. Both methods block; they run in the job's own process."""

    name: str
    kind: str

    def capture(self, sink: Sink) -> dict[str, Any]:
        """Stream a consistent state into ``sink``; the details are kept in the snapshot.

        The details hold versions, counts and sizes, never content or a secret: they are listed.

        Raises:
            CaptureFailed: there is no whole state to be had; nothing of it may be listed.
        """

    def restore(
        self, source: Source, target: Target, select: Select | None = None
    ) -> RestoreOutcome:
        """Bring ``source`` back at ``target``, all of it or what ``select`` wants.

        Raises:
            RestoreFailed: something wanted is not there now. Of files it is ``PlacedInPart``, where
                all the rest is.
            Conflict: ``target`` holds something that must not be overwritten, or is in use.
            NotFound: nothing is selected.
            NoSpace: the disk is full.
            ContentDamaged: the repository has lost some content; all the rest is restored.
                Of files it is ``RestoredInPart``.
        """
