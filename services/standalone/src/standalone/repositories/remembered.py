"""Where the command line remembers unchanged files: a folder for each set of paths."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

_UNUSED_SECONDS = 90 * 86_400


def folder_of(roots: Iterable[bytes]) -> Path | None:
    """The folder for a backup of these paths: each run forgets what it does not see.

    None where this account has no place for it, or may not enter it.

    Where it is new, those that no backup has renewed for three months are removed: their paths or
    repositories are gone, or are read once more when they come back.
    """
    try:
        root = _root()
        folder = root / blake3(b"\0".join(roots)).hexdigest(length=8)
        if not folder.exists():
            _forget_unused(root)
    except (OSError, RuntimeError):  # the latter: nothing says where its home is
        return None
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
