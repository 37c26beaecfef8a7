"""Where objects are read from, and what each of them must be."""

from collections.abc import Iterable
from typing import Protocol

from blake3 import blake3

from common.errors import Corrupt
from common.repository.format.frame import MAX_SIZE, parse_frame
from common.repository.format.names import Kind, content_hash, kind_of
from common.storage.store import ObjectInfo

PIECE = 8 * 1024**2


class ObjectSource(Protocol):
    """What reading needs of a store, by blocking calls. ``LocalDirectory`` is one.

    May be called by several threads at once, and by processes that were forked since it was opened:
    what a thread of its own reads cannot be checked or restored from. Errors as in ``ObjectStore``.
    """

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes from ``offset``, at most ``length`` of them: fewer only at the object's end."""

    def list(self, prefix: str = "") -> Iterable[ObjectInfo]:
        """Every complete object whose name starts with ``prefix``, in no certain order."""


def read_whole(source: ObjectSource, name: str, limit: int) -> bytes:
    """A content-named object, verified against its name.

    Raises:
        Corrupt: damaged, or larger than such an object can be.
    """
    data = source.read(name, 0, limit + 1)
    if len(data) > limit:
        raise Corrupt(f"{name} is larger than such an object can be.")
    if blake3(data).digest() != content_hash(name):
        raise Corrupt(f"{name} is damaged: its bytes are not those it is named for.")
    return data


def verify_object(name: str, pieces: Iterable[bytes]) -> None:
    """Find damage in an object without any key: by its name, or by its checksum.

    Raises:
        Corrupt: damaged, or under a name that the format does not have.
    """
    expected = content_hash(name)
    if expected is not None:
        digest = blake3()
        for piece in pieces:
            digest.update(piece)
        if digest.digest() != expected:
            raise Corrupt(f"{name} is damaged: its bytes are not those it is named for.")
        return
    kind = kind_of(name)
    if kind not in {Kind.CONFIG, Kind.KEY}:
        raise Corrupt(f"{name} is no object of a repository.")
    data = b""
    for piece in pieces:
        data += piece
        if len(data) > MAX_SIZE:
            raise Corrupt(f"{name} is larger than such an object can be.")
    parse_frame(kind, data, name)
