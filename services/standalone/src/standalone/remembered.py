"""Where the command line remembers unchanged files: a folder for each set of paths."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

_UNUSED_SECONDS = 90 * 86_400


def folder_of(roots: Iterable[bytes]) -> Path:
    """The folder for a backup of these paths: each run forgets what it does not see.

    Where it is new, those that no backup has renewed for three months are removed: their paths or
    repositories are gone, or are read once more when they come back.
    """
    root = _root()
    folder = root / blake3(b"\0".join(roots)).hexdigest(length=8)
    if not folder.exists():
        _forget_unused(root)
    return folder


def _root() -> Path:
    place = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(place) if place else Path.home() / ".cache") / "strongroom"


def _forget_unused(root: Path) -> None:
    before = time.time() - _UNUSED_SECONDS
    for pattern in ("*.table", "*.records", "*.new"):
        for path in list(root.rglob(pattern)):
            with suppress(OSError):
                if path.lstat().st_mtime < before:
                    path.unlink()
                    path.parent.rmdir()
