"""Removing a backup from the list, on the record."""

from datetime import UTC, datetime
from uuid import uuid4

from common.errors import NotFound
from common.repository.format.names import object_id, snapshot_name
from common.repository.format.snapshot import Link, Removed, Snapshot, seal_snapshot
from common.repository.history import Head, tombstoned
from common.repository.lock import exclusive, linking
from common.repository.session import Session


def forget(session: Session, snapshot_id: str, reason: str, chain: str) -> None:
    """Write a tombstone into ``chain``, then remove the snapshot. Repeatable.

    Raises:
        NotFound: there is no such backup and never was.
    """
    name = snapshot_name(snapshot_id)
    with exclusive(session.directory.path):
        found = session.history.load(lambda _name, _error: None)
        done = {entry.snapshot for entry in tombstoned(found.values())}
        body = found.get(snapshot_id)
        if snapshot_id not in done:
            if body is None or body.kind != "backup":
                raise NotFound(f"There is no backup {snapshot_id}.")
            with linking(session.directory.path):
                _bury(session, snapshot_id, body, reason, chain)
        else:
            session.directory.settle("snapshots")  # who wrote the tombstone may have died then
        session.directory.delete(name)


def _bury(session: Session, snapshot_id: str, body: Snapshot, reason: str, chain: str) -> None:
    history = session.history
    session.directory.settle("snapshots")  # as of a backup
    head = history.heads().get(chain, Head())
    tombstone = Snapshot(
        kind="tombstone",
        repository=session.keys.repository,
        generation=session.config.generation,
        link=Link(chain, head.counter + 1, head.snapshot),
        created=datetime.now(UTC),
        witnesses=history.witnesses(chain),
        reason=reason,
        removed=(Removed(snapshot_id, body.link, body.run, body.backup_id),),
    )
    data = seal_snapshot(tombstone, session.keys.chain)
    name = snapshot_name(object_id(data).hex())
    session.directory.write(name, data, owner=uuid4().hex)
