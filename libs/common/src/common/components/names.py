"""Names of files as text, and texts as selections. A name may hold any byte but NUL."""

import os
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from common.components.component import Select


def show(path: bytes) -> str:
    """A path as one line of printable text; what is not printable UTF-8, and ``%``, as ``%XX``."""
    text = path.decode("utf-8", "surrogateescape")
    return "".join(
        letter if letter.isprintable() and letter != "%" else _escape(letter) for letter in text
    )


def _escape(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogateescape"))


def parse(text: str) -> bytes:
    """The path that ``show`` made this text from."""
    return unquote_to_bytes(text)


def beneath(path: bytes, folder: bytes) -> bool:
    """Whether ``path`` is ``folder`` or in it; the root b"" holds everything."""
    return not folder or path == folder or path.startswith(folder + b"/")


def selecting(paths: Iterable[str]) -> Select:
    """Wants the given paths and all that is in them.

    A path may be given as it is on the disk or as ``show`` prints it, with or without the first
    slash.
    """
    wanted = {name.strip(b"/") for text in paths for name in (os.fsencode(text), parse(text))}
    return lambda path: any(beneath(path, name) for name in wanted)
