"""What bytes are: here, and at a destination. Nothing of this takes a key."""

import asyncio
from collections.abc import Iterator
from itertools import chain

from blake3 import blake3

from common.errors import Corrupt, Error, NotFound
from common.repository.format.frame import parse_frame
from common.repository.format.names import CONFIG, Kind, content_hash, kind_of
from common.storage.local import LocalDirectory
from common.storage.store import ObjectStore
from storage_uploader.domain import UNKNOWN, Item

_PIECE = 1024 * 1024
_PREFIXES = ("packs/", "index/", "keys/", CONFIG)


class Unproven(Error):
    """The destination gives back other bytes than it was sent."""

    code = "unproven"


def survey(directory: LocalDirectory) -> Iterator[Item]:
    """Every object of the repository. Blocking.

    Snapshots are listed first: whatever a snapshot in the answer needs was there before it, and
    so is in the answer too. A damaged key has no digest: one that is at a destination is as good
    as any, and ``check_source`` refuses to send this one.
    """
    snapshots = list(directory.list("snapshots/"))
    directory.settle("snapshots")  # a cut must not take from here what a destination has
    rest = chain.from_iterable(directory.list(prefix) for prefix in _PREFIXES)
    for info in chain(snapshots, rest):
        kind = kind_of(info.name)
        digest = content_hash(info.name)
        if kind is not None and digest is None:
            digest = _digest_of_frame(directory, kind, info.name)
        if digest is not None:
            yield Item(info.name, info.size, digest)


def _digest_of_frame(directory: LocalDirectory, kind: Kind, name: str) -> bytes | None:
    try:
        content = directory.read(name)
        parse_frame(kind, content, name)
    except NotFound:
        return None  # deleted since it was listed
    except Corrupt:
        return UNKNOWN
    return blake3(content).digest()


def check_source(directory: LocalDirectory, item: Item) -> None:
    """Make sure that our own copy is what it should be, before it is sent. Blocking.

    Raises:
        NotFound: what the survey saw is gone: it was removed, or its keys were changed.
        Corrupt: it is damaged.
    """
    hasher = blake3()
    with directory.open(item.name) as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    if hasher.digest() == item.digest:
        return
    kind = kind_of(item.name)
    if kind in (Kind.KEY, Kind.CONFIG) and _digest_of_frame(directory, kind, item.name) != UNKNOWN:
        raise NotFound(f"The object {item.name} was changed since it was listed.")
    raise Corrupt(
        f"The object {item.name} is damaged in this repository and was not sent.",
        remedy="Run `strongroom repo check` to see which backups need it.",
    )


async def is_proven(store: ObjectStore, item: Item) -> bool:
    """Whether the destination gives back exactly the bytes of ``item``."""
    hasher = blake3()
    try:
        if (await store.stat(item.name)).size != item.size:
            return False
        async for piece in store.stream(item.name):
            await asyncio.to_thread(hasher.update, piece)
    except NotFound:
        return False
    return hasher.digest() == item.digest
