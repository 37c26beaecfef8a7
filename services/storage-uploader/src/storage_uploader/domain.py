"""What storage-uploader decides, without doing any of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from common.repository.format.names import Kind, kind_of

_ORDER = (Kind.PACK, Kind.INDEX, Kind.KEY, Kind.CONFIG, Kind.SNAPSHOT)

UNKNOWN = b""
"""The digest of an object that is damaged here and whose name does not tell its hash."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object of the repository; ``digest`` is the BLAKE3 hash that all its copies must have."""

    name: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Amount:
    """So many objects of so many bytes together."""

    objects: int = 0
    size_bytes: int = 0


def stages(missing: Iterable[Item]) -> list[list[Item]]:
    """What to send, in an order that makes every prefix of it harmless.

    Each stage is complete at the destination before the next one begins, snapshots last: so a
    destination never lists a snapshot whose objects are not there.
    """
    by_kind: dict[Kind, list[Item]] = {kind: [] for kind in _ORDER}
    for item in missing:
        kind = kind_of(item.name)
        if kind is not None:
            by_kind[kind].append(item)
    return [by_kind[kind] for kind in _ORDER if by_kind[kind]]


def pause_after(round_: int, ladder: Sequence[float]) -> timedelta:
    """How long to wait after a round, counted from 1, has failed."""
    return timedelta(seconds=ladder[min(round_, len(ladder)) - 1])


def place_of(url: str) -> str:
    """Where an address points to, without the secrets in it."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}"
