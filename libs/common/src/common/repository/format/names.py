"""How objects are named, and what their first bytes say."""

import re
from enum import Enum

from blake3 import blake3

from common.byteslike import BytesLike
from common.errors import Corrupt, Invalid

ID_SIZE = 32
KEY_ID_SIZE = 16
MAGIC_SIZE = 8
_MAGIC = b"SROOM"
_VERSION = b"\x01\x00"

CONFIG = "config"


class Kind(Enum):
    """The kinds of objects, by the letter in their first bytes."""

    CONFIG = b"C"
    KEY = b"K"
    PACK = b"P"
    INDEX = b"I"
    SNAPSHOT = b"S"

    @property
    def magic(self) -> bytes:
        """The first eight bytes of such an object."""
        return _MAGIC + self.value + _VERSION


_NAMES = (
    (re.compile(r"keys/[0-9a-f]{32}", re.ASCII), Kind.KEY),
    (re.compile(r"packs/([0-9a-f]{2})/\1[0-9a-f]{62}", re.ASCII), Kind.PACK),
    (re.compile(r"index/[0-9a-f]{64}", re.ASCII), Kind.INDEX),
    (re.compile(r"snapshots/[0-9a-f]{64}", re.ASCII), Kind.SNAPSHOT),
)


def kind_of(name: str) -> Kind | None:
    """What ``name`` names; None when the format has no such name."""
    if name == CONFIG:
        return Kind.CONFIG
    return next((kind for pattern, kind in _NAMES if pattern.fullmatch(name)), None)


def content_hash(name: str) -> bytes | None:
    """The BLAKE3 hash that the object's bytes must have, where its name says it."""
    if kind_of(name) in {Kind.PACK, Kind.INDEX, Kind.SNAPSHOT}:
        return bytes.fromhex(name.rpartition("/")[2])
    return None


def object_id(data: BytesLike) -> bytes:
    """The hash that names a content-addressed object."""
    return blake3(data).digest()


def pack_name(pack_id: bytes) -> str:
    """The name of a pack."""
    text = pack_id.hex()
    return f"packs/{text[:2]}/{text}"


def key_name(key_id: bytes) -> str:
    """The name of a run key's object."""
    return f"keys/{key_id.hex()}"


def index_name(segment_id: bytes) -> str:
    """The name of an index segment."""
    return f"index/{segment_id.hex()}"


def snapshot_name(snapshot_id: str) -> str:
    """The name of a snapshot.

    Raises:
        Invalid: this is not the id of a snapshot.
    """
    name = f"snapshots/{snapshot_id}"
    if kind_of(name) is not Kind.SNAPSHOT:
        raise Invalid(f"{snapshot_id[:80]!r} is not the id of a snapshot.")
    return name


def check_magic(kind: Kind, data: BytesLike, name: str) -> None:
    """Refuse an object that is of another kind or of a version that is not understood.

    Raises:
        Corrupt: it does not begin as it must.
    """
    start = bytes(data[:MAGIC_SIZE])
    if start[:-2] == kind.magic[:-2] and start != kind.magic:
        raise Corrupt(f"{name} has a format version that is not understood: a newer Strongroom?")
    if start != kind.magic:
        raise Corrupt(f"{name} does not begin as a {kind.name.lower()} object must.")
