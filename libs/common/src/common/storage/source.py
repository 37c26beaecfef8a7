"""What ``put`` takes: bytes, or the path of a file that does not change while it is sent."""

from collections.abc import Iterator
from pathlib import Path

from common.storage.failures import explained

PIECE = 1024 * 1024


def size_of(source: bytes | Path) -> int:
    """The number of bytes to be sent."""
    if isinstance(source, bytes):
        return len(source)
    with explained(source.parent, source.name):
        return source.stat().st_size


def pieces_of(source: bytes | Path, offset: int = 0, size: int = PIECE) -> Iterator[bytes]:
    """The bytes from ``offset`` on, ``size`` at a time."""
    if isinstance(source, bytes):
        for start in range(offset, len(source), size):
            yield source[start : start + size]
        return
    with explained(source.parent, source.name), source.open("rb") as file:
        file.seek(offset)
        while piece := file.read(size):
            yield piece
