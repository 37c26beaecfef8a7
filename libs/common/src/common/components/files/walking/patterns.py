"""What of a folder is backed up, in the syntax of .gitignore."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from common.errors import Invalid

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Patterns:
    """Decides by path, relative to the root that is backed up.

    ``exclude`` leaves out, a folder with all that is in it; ``!pattern`` takes back in. With
    ``include`` only what it matches is taken, a folder with all that is in it.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._exclude = _compile(exclude)
        self._include = _compile(include)
        self.everything = not include
        self.chosen = bool(include or exclude)

    def excluded(self, path: bytes, *, folder: bool) -> bool:
        """Whether to leave this out, and not to look into it."""
        return self._exclude is not None and _matches(self._exclude, path, folder=folder)

    def included(self, path: bytes, *, folder: bool) -> bool:
        """Whether to take this; a folder that is not may still hold what is."""
        return self._include is None or _matches(self._include, path, folder=folder)


def _compile(patterns: Sequence[str]) -> "GitIgnoreSpec | None":
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - it takes long, and most have no patterns

    try:
        return GitIgnoreSpec.from_lines(map(_as_git, patterns))
    except ValueError as error:
        raise Invalid(f"A pattern cannot be understood: {error}.") from error


_INSIDE = re.compile(r"(?<=/\*\*)(/?)\s*$")


def _as_git(pattern: str) -> str:
    """For git, what ends with ``/**`` is all in a folder and not the folder itself, from which
    ``!`` could take nothing back in any more; the matcher needs that said.
    """
    return _INSIDE.sub(r"/*\1", pattern)


def _matches(patterns: "GitIgnoreSpec", path: bytes, *, folder: bool) -> bool:
    # A name cannot hold NUL; in its place a newline no longer ends the name for the matcher.
    text = os.fsdecode(path).replace("\n", "\0") + ("/" if folder else "")
    return patterns.match_file(text)
