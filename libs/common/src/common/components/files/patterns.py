"""What of a folder is backed up, in the syntax of .gitignore."""

import os
from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from common.errors import Invalid


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
        return self._exclude.match_file(_text(path, folder=folder))

    def included(self, path: bytes, *, folder: bool) -> bool:
        """Whether to take this; a folder that is not may still hold what is."""
        return self.everything or self._include.match_file(_text(path, folder=folder))


def _compile(patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise Invalid(f"A pattern cannot be understood: {error}.") from error


def _text(path: bytes, *, folder: bool) -> str:
    # A name cannot hold NUL; in its place a newline no longer ends the name for the matcher.
    return os.fsdecode(path).replace("\n", "\0") + ("/" if folder else "")
