"""The paths that a backup is to begin at, as they lie on the disk."""

import os
from collections.abc import Callable
from contextlib import suppress

from common.components.files.metadata import describe
from common.components.names import show
from common.errors import CaptureFailed
from common.repository.entry import Entry, EntryType


def tell_symlink(warn: Callable[[str], None], path: bytes) -> None:
    """Say of a symlink that it is kept, and what it leads to is not."""
    warn(f"{show(b'/' + path)} is a symlink: what it leads to is not backed up.")


def tell_enclosed(warn: Callable[[str], None], path: bytes, root: bytes) -> None:
    """Say of a path, which by its name is in that root, what reading the root does not give of it.

    Raises:
        CaptureFailed: it lies behind a symlink, which is itself what is kept under that name.
    """
    parts = path.split(b"/")
    for depth in range(root.count(b"/") + 1 if root else 0, len(parts)):
        lead = b"/".join(parts[:depth])
        if os.path.islink(b"/" + lead):
            folder, name = os.path.split(b"/" + path)
            real = os.path.join(os.path.realpath(folder), name)
            raise CaptureFailed(
                f"{show(b'/' + path)} is not in {show(b'/' + root)}:"
                f" {show(b'/' + lead)} is a symlink.",
                remedy=f"Name {show(real)} instead.",
            )
    if os.path.islink(b"/" + path):
        tell_symlink(warn, path)


def ancestors(root: bytes) -> list[Entry]:
    """The folders that lead to a root, as they are: a symlink among them is followed."""
    parts = root.split(b"/")
    found = []
    for depth in range(1, len(parts)):
        path = b"/".join(parts[:depth])
        real = os.path.realpath(b"/" + path)
        with suppress(OSError):
            entry = describe(path, real, os.stat(real))
            if entry.type is EntryType.DIRECTORY:
                found.append(entry)
    return found
