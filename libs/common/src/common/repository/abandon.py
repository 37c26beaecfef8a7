"""Clearing up after a run whose process died."""

from contextlib import suppress
from uuid import UUID

from common.errors import Corrupt, NotFound
from common.repository.format.abandonment import mark_abandoned
from common.repository.format.names import pack_name
from common.repository.format.pack import HEADER_SIZE, PackHeader
from common.repository.lock import exclusive
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
        mine = _mark(session, run_id)
        if mine:
            _remove(session, mine)


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


def _mark(session: Session, run_id: UUID) -> dict[bytes, str]:
    """Say in the keys of the run that it is dead, before anything else; their ids and names."""
    mine = {}
    for key in session.wrapped_keys(lambda _name, _error: None):
        if key.run == run_id:
            mine[key.key_id] = key.name
            if not key.abandoned:
                data = session.source.read(key.name)
                marked = mark_abandoned(data, key.name, session.keys)
                session.directory.write(key.name, marked, owner=run_id.hex)
    return mine


def pack_key(session: Session, pack_id: bytes) -> bytes:
    """The id of the run key that a pack is sealed with, from its header."""
    name = pack_name(pack_id)
    return PackHeader.parse(session.source.read(name, 0, HEADER_SIZE), name).key_id
