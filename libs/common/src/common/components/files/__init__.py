"""Trees of files, with everything that the file system knows of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from common.components.component import Amount, RestoreOutcome, Select, Target
from common.components.files.walking.counting import Counter
from common.components.files.walking.patterns import Patterns
from common.components.files.walking.roots import ancestors, tell_enclosed
from common.components.files.walking.seen import Taker
from common.components.files.walking.walk import Walk
from common.components.names import beneath, show
from common.errors import CaptureFailed, Invalid
from common.openfiles import allow_open_files
from common.repository.tree import Sink, Source


@dataclass(frozen=True)
class FilesOptions:
    """What a ``kind = "files"`` table of components.toml may say.

    Raises:
        Invalid: a path does not start at the root, or has a part ``..``.
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
            if ".." in path.split("/"):
                raise Invalid(
                    f"paths: {path} goes up by '..'.", remedy="Name the folder that it leads to."
                )


class FilesComponent:
    """Files below one or more paths; in the backup each has its whole path from the root."""

    kind = "files"
    options: ClassVar[type] = FilesOptions

    def __init__(self, name: str, options: FilesOptions) -> None:
        self.name = name
        self._options = options
        self._patterns = Patterns(options.include, options.exclude)

    @classmethod
    def of(cls, name: str, paths: Sequence[str | Path], *, exclude: Sequence[str] = ()) -> Self:
        """A component for these paths, as a shell takes them: relative ones from the current
        folder, and ``..`` behind a symlink from where that leads.
        """
        absolute = tuple(_absolute(Path(path)) for path in paths)
        return cls(name, FilesOptions(paths=absolute, exclude=tuple(exclude)))

    @property
    def roots(self) -> list[bytes]:
        """The paths without their first slash, in order, none within another."""
        roots: list[bytes] = []
        for name in self._names():
            if not any(beneath(name, root) for root in roots):
                roots.append(name)
        return roots

    def _names(self) -> list[bytes]:
        names = {os.path.normpath(os.fsencode(path)).strip(b"/") for path in self._options.paths}
        return sorted(names, key=lambda path: path.split(b"/") if path else [])

    def capture(self, sink: Sink) -> dict[str, Any]:
        """Read every path; what cannot be read or vanishes meanwhile is told as a warning.

        Raises:
            CaptureFailed: one of the paths themselves is gone or unreadable, or only a symlink
                leads to it from another one.
        """
        return self._walk(sink, shared=True)

    def count(self) -> Amount:
        """What ``capture`` is going to give, found by the same walk without reading any file."""
        counter = Counter()
        self._walk(counter, shared=False)  # needs more of each file than a scout tells
        return counter.amount

    def _walk(self, taker: Taker, *, shared: bool) -> dict[str, Any]:
        roots = self.roots
        if not roots:
            raise CaptureFailed(f"Component {self.name} names no path.")
        for name in self._names():
            for root in roots:
                if name != root and beneath(name, root):
                    tell_enclosed(taker.warn, name, root)
        allow_open_files()
        walk = Walk(taker, self._patterns, self._devices(roots), shared=shared)
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
        from common.components.files.restoring.restore import restore  # noqa: PLC0415 - no backup needs it

        numeric_owners = self._options.numeric_owners
        return restore(source, target, self.roots, select, numeric_owners=numeric_owners)

    def _devices(self, roots: list[bytes]) -> list[int] | None:
        if not self._options.one_file_system:
            return None
        every = {*roots, *(os.fsencode(path).strip(b"/") for path in self._options.paths)}
        return [os.stat(b"/" + root).st_dev for root in every if os.path.exists(b"/" + root)]


def _absolute(path: Path) -> str:
    lead, dots, rest = f"{path.absolute()}/".rpartition("/../")
    return str(Path(os.path.realpath(f"{lead}/.."), rest) if dots else path.absolute())
