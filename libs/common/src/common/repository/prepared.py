"""The end of a backup run: everything is durable, and the snapshot makes it a backup."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from common.errors import Conflict, Error
from common.repository.format.names import object_id, snapshot_name
from common.repository.format.runkey import RunKey
from common.repository.format.snapshot import Link, Snapshot, seal_snapshot
from common.repository.history import Head, SnapshotInfo
from common.repository.lock import linking
from common.repository.session import Session
from common.repository.writing.alive import require_alive


class SnapshotMeta(NamedTuple):
    """What a backup is called, and the chain it belongs to. ``created``: when the run began."""

    backup_id: str
    backup_name: str
    chain: str
    plan: str = "manual"
    station: str = "main"
    backup_type: str = "full"
    created: datetime | None = None

    def no_link(self) -> Link:
        """The chain, before the place in it is known."""
        return Link(self.chain, 1, None)


class Prepared:
    """A finished run that is no backup yet."""

    def __init__(
        self,
        session: Session,
        key: RunKey,
        body: Snapshot,
        warnings: dict[str, tuple[str, ...]],
    ) -> None:
        self._session = session
        self._key = key
        self._body = body
        self._warnings = warnings

    def commit(self, counter: int, previous: str | None) -> SnapshotInfo:
        """Write the snapshot as number ``counter`` of its chain, after ``previous``.

        Raises:
            Conflict: that place in the chain is taken, or the run was taken for dead.
        """
        session, chain = self._session, self._body.link.chain
        with linking(session.directory.path):
            if counter in session.history.counters(chain):
                raise Conflict(f"Place {counter} of the chain {chain!r} is taken.")
            return self._write(self._body._replace(link=Link(chain, counter, previous)))

    def commit_next(self) -> SnapshotInfo:
        """Write the snapshot at the end of its chain, wherever that is by now.

        Raises:
            Conflict: the run was taken for dead.
        """
        session, chain = self._session, self._body.link.chain
        with linking(session.directory.path):
            head = session.history.heads().get(chain, Head())
            return self._write(
                self._body._replace(link=Link(chain, head.counter + 1, head.snapshot))
            )

    def _write(self, body: Snapshot) -> SnapshotInfo:
        session = self._session
        # Under the lock, so that who marks a run as dead can wait for the snapshot of one that asks
        # here too early to see it.
        require_alive(session.directory, self._key, session.keys)
        # What this one says is there may be seen, but not be durable: its process may have died.
        session.directory.settle("snapshots")
        body = body._replace(
            finished=datetime.now(UTC),
            witnesses=session.history.witnesses(body.link.chain),
        )
        data = seal_snapshot(body, session.keys.chain)
        snapshot_id = object_id(data).hex()
        session.directory.write(snapshot_name(snapshot_id), data, owner=body.run.hex)
        session.directory.settle("")
        with suppress(Error):  # a prune does it
            session.directory.discard(body.run.hex)
        return SnapshotInfo(snapshot_id, body, self._warnings)
