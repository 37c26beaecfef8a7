"""Trees of files, with everything that the file system knows of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from common.components.component import Amount, RestoreOutcome, Select, Target
from common.components.files.counting import Counter
from common.components.files.folders import Folders
from common.components.files.leaving import told
from common.components.files.leftovers import claim
from common.components.files.linux import allow_open_files
from common.components.files.metadata import Applier
from common.components.files.patterns import Patterns
from common.components.files.placing import Placing
from common.components.files.selecting import Selection
from common.components.files.walk import Taker, Walk, ancestors
from common.components.names import beneath, parse, show
from common.components.notes import Notes, raise_if_full
from common.errors import CaptureFailed, Invalid, NotFound, RestoreFailed
from common.repository.tree import Sink, Source


@dataclass(frozen=True)
class FilesOptions:
    """What a ``kind = "files"`` table of components.toml may say.

    Raises:
        Invalid: a path does not start at the root.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["files"] = "files"
    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    one_file_system: bool = False
    numeric_owners: bool = False

    def __post_init__(self) -> None:
        for path in self.paths:
            if not path.startswith("/"):
                raise Invalid(f"paths: {path} does not start at /.")


class FilesComponent:
    """Files below one or more paths; in the backup each has its whole path from the root."""

    kind = "files"
    options: ClassVar[type] = FilesOptions

    def __init__(self, name: str, options: FilesOptions) -> None:
        self.name = name
        self._options = options
        self._patterns = Patterns(options.include, options.exclude)

    @classmethod
    def of(cls, name: str, paths: Sequence[str | Path]) -> Self:
        """A component for these paths, relative ones taken from the current folder."""
        return cls(name, FilesOptions(paths=tuple(os.path.abspath(path) for path in paths)))

    @property
    def roots(self) -> list[bytes]:
        """The paths without their first slash, in order, none within another."""
        roots: list[bytes] = []
        names = {os.path.normpath(os.fsencode(path)).strip(b"/") for path in self._options.paths}
        for name in sorted(names, key=lambda path: path.split(b"/") if path else []):
            if not any(beneath(name, root) for root in roots):
                roots.append(name)
        return roots

    def capture(self, sink: Sink) -> dict[str, Any]:
        """Read every path; what cannot be read or vanishes meanwhile is told as a warning.

        Raises:
            CaptureFailed: one of the paths themselves is gone or unreadable.
        """
        return self._walk(sink)

    def count(self) -> Amount:
        """What ``capture`` is going to give, found by the same walk without reading any file."""
        counter = Counter()
        self._walk(counter)
        return counter.amount

    def _walk(self, taker: Taker) -> dict[str, Any]:
        roots = self.roots
        if not roots:
            raise CaptureFailed(f"Component {self.name} names no path.")
        allow_open_files()
        walk = Walk(taker, self._patterns, self._devices(roots))
        told: set[bytes] = set()
        for root in roots:
            for folder in ancestors(root):
                if folder.path not in told:
                    told.add(folder.path)
                    taker.add(folder)
            walk.run(root)
        return {"roots": [show(b"/" + root) for root in roots], **walk.counts}

    def restore(
        self, source: Source, target: Target, select: Select | None = None
    ) -> RestoreOutcome:
        """Place the entries below the folder ``target.directory``, or over this component's paths.

        What the target has and the backup has not stays. A restore that ended too early, however
        it did, may be repeated at the same target: what is there is not written again. What it has
        left there for that stands in a note of the exception that it ended with.
        """
        recorded = [parse(text).strip(b"/") for text in source.details.get("roots", [])]
        within = self.roots if target.in_place else None
        selection = Selection(source, select, recorded, within)
        empty = True
        for path in recorded if select is None else selection.prepare():
            selection.check(path)
            empty = False
        if empty and select is not None:
            raise NotFound("Nothing in the backup has that name.")
        if select is not None:
            source.expect(selection.size)
        folders, notes = self._folders(target), Notes()
        try:
            alone = not target.in_place and claim(folders.file(b""), str(target.directory))
            applier = Applier(notes.add, numeric_owners=self._options.numeric_owners)
            placing = Placing(source, selection, folders, applier, notes, alone=alone)
            try:
                outcome = placing.run()
            except BaseException as error:
                if placing.left:
                    error.add_note(told(placing.left, str(target.directory)))
                raise
        finally:
            folders.close()
        return RestoreOutcome(outcome.entries, outcome.size_bytes, notes.lines())

    def _devices(self, roots: list[bytes]) -> list[int] | None:
        if not self._options.one_file_system:
            return None
        every = {*roots, *(os.fsencode(path).strip(b"/") for path in self._options.paths)}
        return [os.stat(b"/" + root).st_dev for root in every if os.path.exists(b"/" + root)]

    def _folders(self, target: Target) -> Folders:
        """What to place the entries in.

        Raises:
            RestoreFailed: it cannot be written to, or is not named.
        """
        directory = Path("/") if target.in_place else target.directory
        if directory is None:
            raise RestoreFailed("Files are restored into a folder, and none is named.")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            folders = Folders(os.open(directory, flags))
            for root in self.roots if target.in_place else ():
                folders.trust(root.rpartition(b"/")[0])
        except OSError as error:
            raise_if_full(error, str(directory))
            raise RestoreFailed(
                f"{directory} cannot be used: {error.strerror}.",
                remedy="Name a folder that this account may write to.",
            ) from error
        return folders
