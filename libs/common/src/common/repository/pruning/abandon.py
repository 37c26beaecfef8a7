"""Clearing up after a run whose process died."""

from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from common.errors import Corrupt, NotFound
from common.repository.format.abandonment import mark_abandoned
from common.repository.format.names import pack_name
from common.repository.format.pack import HEADER_SIZE, PackHeader
from common.repository.format.wrappedkey import WrappedKey
from common.repository.lock import exclusive, linking
from common.repository.session import Session


def abandon(session: Session, run_id: UUID) -> None:
    """Remove what a dead run left and nothing can use: unfinished files, unlisted packs, keys
    without packs. What it had listed stays, for the next attempt to deduplicate against. If the
    run was only asleep, it fails when it wakes up.

    Raises:
        Conflict: a prune or a deletion is going on; nothing was removed.
        Corrupt: the index is damaged, so that nobody knows what is listed.
    """
    with exclusive(session.directory.path):
        session.directory.discard(run_id.hex)
        keys = session.wrapped_keys(lambda _name, _error: None)
        mine = [key for key in keys if key.run == run_id]
        mark_dead(session, mine)
        if mine:
            _remove(session, {key.key_id: key.name for key in mine})


def mark_dead(session: Session, keys: Collection[WrappedKey]) -> None:
    """Say in these keys that their runs are dead, before anything of those is removed: from now on
    each has its snapshot, or never gets one.

    Raises:
        Conflict: one of them is writing its snapshot, and does not come to an end.
    """
    if not keys:
        return
    for key in keys:
        if not key.abandoned:
            with suppress(NotFound):  # the run has just removed it: it fails
                data = session.source.read(key.name)
                marked = mark_abandoned(data, key.name, session.keys)
                session.directory.write(key.name, marked, owner=key.run.hex)
    # Also a mark that was found: whoever wrote it may have died before it was durable.
    session.directory.settle("keys")
    with linking(session.directory.path):
        pass  # a run that saw no mark yet has written its snapshot by now


def _remove(session: Session, mine: dict[bytes, str]) -> None:
    """Delete the packs of these keys that are listed nowhere, and those keys that seal nothing."""
    directory = session.directory
    listed, used = session.listed()
    packs = []
    for pack_id in session.present() - listed:
        with suppress(Corrupt, NotFound):  # what is no pack of this run is not ours to remove
            if pack_key(session, pack_id) in mine:
                packs.append(pack_name(pack_id))
    directory.delete_all(packs)
    directory.delete_all(name for key_id, name in mine.items() if key_id not in used)


def pack_key(session: Session, pack_id: bytes) -> bytes:
    """The id of the run key that a pack is sealed with, from its header."""
    name = pack_name(pack_id)
    return PackHeader.parse(session.source.read(name, 0, HEADER_SIZE), name).key_id
