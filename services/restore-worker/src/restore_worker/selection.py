"""Chosen paths of a restore, and whether the backup has them."""

import os
from collections.abc import Iterable

from common.components.names import parse


class Selection:
    """Wants the given paths and all that is in them, in one component.

    A path may be given as it is on the disk or as ``names.show`` prints it, with or without the
    first slash. It remembers which of them were met, so that one that is not there is noticed.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._texts = {
            form.strip(b"/"): text for text in paths for form in (os.fsencode(text), parse(text))
        }
        self.met: set[str] = set()

    def __call__(self, path: bytes) -> bool:
        """Whether the entry at ``path`` is wanted."""
        above = path
        while above not in self._texts:
            if not above:
                return False
            above = above.rpartition(b"/")[0]
        self.met.add(self._texts[above])
        return True
