"""Objects and content as pieces of bytes: read, written verified, and as a stream."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from blake3 import blake3

from common.errors import Corrupt
from common.repository.format.names import content_hash
from common.repository.objects import PIECE, ObjectSource
from common.storage.local import LocalDirectory
from common.storage.store import ObjectInfo


def pieces(source: ObjectSource, name: str) -> Iterator[bytes]:
    """The bytes of an object, a few megabytes at a time."""
    offset = 0
    while piece := source.read(name, offset, PIECE):
        yield piece
        offset += len(piece)


def write_verified(
    directory: LocalDirectory,
    name: str,
    content: Iterable[bytes],
    *,
    owner: str,
    aside: str | None = None,
) -> ObjectInfo:
    """Store an object, if its bytes are those that it is named for.

    What has that name already is replaced, and set aside first for the owner called ``aside``.

    Raises:
        Corrupt: these are other bytes. Nothing has happened.
    """
    expected, digest = content_hash(name), blake3()
    with directory.begin(owner) as draft:
        for piece in content:
            digest.update(piece)
            draft.write(piece)
        if expected is not None and digest.digest() != expected:
            raise Corrupt(f"{name} is damaged: its bytes are not those it is named for.")
        if aside is not None and directory.exists(name):
            directory.set_aside(name, aside)
        return draft.commit(name)


class _Pieces(io.RawIOBase):
    """Reads what an iterator of pieces gives."""

    def __init__(self, content: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = iter(content)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def as_stream(content: Iterable[bytes]) -> io.BufferedReader:
    """Pieces of bytes as a file to read from."""
    return io.BufferedReader(_Pieces(content), PIECE // 8)
