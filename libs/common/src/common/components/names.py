"""Names of files as text, and texts as selections. A name may hold any byte but NUL."""

import os
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from common.repository.entry import plain_path


def show(path: bytes) -> str:
    """A path as one line of printable text; what is not printable UTF-8, and ``%``, as ``%XX``."""
    text = path.decode("utf-8", "surrogateescape")
    return "".join(
        letter if letter.isprintable() and letter != "%" else _escape(letter) for letter in text
    )


def _escape(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogateescape"))


def parse(text: str) -> bytes:
    """The path that ``show`` made this text from; bytes that are not UTF-8 may be there as well."""
    return unquote_to_bytes(os.fsencode(text))


def beneath(path: bytes, folder: bytes) -> bool:
    """Whether ``path`` is ``folder`` or in it; the root b"" holds everything."""
    return not folder or path == folder or path.startswith(folder + b"/")


class ChosenPaths:
    """Wants the given paths and all that is in them, in one component: a ``Select``.

    A path may be given as it is on the disk or as ``show`` prints it, with or without the first
    slash. It remembers which of them were ``met``, so that one that is not there is noticed.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._texts: dict[bytes, set[str]] = {}
        for text in paths:
            for name in meanings(text):
                self._texts.setdefault(name, set()).add(text)
        self.met: set[str] = set()

    def __call__(self, path: bytes) -> bool:
        """Whether the entry at ``path`` is wanted."""
        above = path
        while above not in self._texts:
            if not above:
                return False
            above = above.rpartition(b"/")[0]
        self.met |= self._texts[above]
        return True


def meanings(text: str) -> list[bytes]:
    """The paths that a user can mean by ``text``: as it is on the disk, then as ``show`` prints it.

    Written as entries are; one of them where both are the same.
    """
    return list(dict.fromkeys(plain_path(path) for path in (os.fsencode(text), parse(text))))
