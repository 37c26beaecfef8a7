"""Clearing up after a run whose process died."""

from uuid import UUID

from common.repository.format.names import pack_name
from common.repository.format.pack import HEADER_SIZE, PackHeader
from common.repository.format.runkey import mark_abandoned
from common.repository.session import Session


def abandon(session: Session, run_id: UUID) -> None:
    """Remove what a dead run left and nothing can use: unfinished files, unlisted packs, keys
    without packs. What it had listed stays, for the next attempt to deduplicate against. If the
    run was only asleep, it fails when it wakes up.
    """
    directory = session.directory
    directory.discard(run_id.hex)
    mine = _mark(session, run_id)
    if not mine:
        return
    listed, used = set(), set()
    for segment in session.segments():
        for entry in segment.entries:
            listed.add(entry.pack_id)
            used.add(entry.key_id)
    for pack_id in session.present() - listed:
        if pack_key(session, pack_id) in mine:
            directory.delete(pack_name(pack_id))
    for key_id, name in mine.items():
        if key_id not in used:
            directory.delete(name)


def _mark(session: Session, run_id: UUID) -> dict[bytes, str]:
    """Say in the keys of the run that it is dead, before anything else; their ids and names."""
    mine = {}
    for key in session.wrapped_keys():
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
