"""The repository as a writer sees it: begin backups, list them, clear up."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from common.repository.format.codec import Compression
from common.repository.format.config import RepositoryConfig
from common.repository.history import Head, SnapshotInfo
from common.repository.progress import OnProgress
from common.repository.pruning.forget import forget
from common.repository.session import Session
from common.storage.local import LocalDirectory

if TYPE_CHECKING:
    from common.repository.run import Run


class Repository:
    """An opened repository with the rights of the writer key. Made by ``open_writer``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        """The objects and keys, for the other parts of the repository."""
        return self._session

    @property
    def config(self) -> RepositoryConfig:
        """Who the repository is."""
        return self._session.config

    @property
    def id(self) -> str:
        """The repository's id."""
        return self._session.config.repository.hex()

    def begin(
        self,
        run_id: UUID,
        *,
        compression: Compression = "zstd",
        level: int = 3,
        on_progress: OnProgress | None = None,
        cache: Path | None = None,
        reread: bool = False,
        processes: int = 0,
    ) -> "Run":
        """Begin a backup. A run whose process died is abandoned first, then begun again.

        ``cache`` is a folder for what is known of unchanged files: those are not read again, unless
        ``reread``. Without it every file is read. It may be deleted at any time. Where there is
        much to read, ``processes`` read it in parallel; with 0 all is done in this one.

        Raises:
            Conflict: the run has made its backup already: ``find_run`` gives it.
        """
        from common.repository.run import Run, RunSettings  # noqa: PLC0415 - who reads needs none of it

        settings = RunSettings(compression, level, cache, reread, processes)
        return Run(self._session, run_id, settings, on_progress)

    def head(self, chain: str) -> Head:
        """The newest place in a chain, from which the next backup goes on."""
        return self._session.history.heads().get(chain, Head())

    def knows(self, snapshot_id: str) -> bool:
        """Whether a snapshot is there or was removed on record; false means that it is missing."""
        return self._session.history.knows(snapshot_id)

    def snapshots(self) -> list[SnapshotInfo]:
        """All backups, oldest first. Damaged ones are not listed: ``check`` tells them."""
        return self._session.history.backups()

    def find_run(self, run_id: UUID) -> SnapshotInfo | None:
        """The backup that a run has made, if it came to that."""
        found = next((info for info in self.snapshots() if info.run_id == run_id), None)
        if found is not None and isinstance(self._session.source, LocalDirectory):
            # Its process may have died before it was durable, and nobody makes it a second time.
            self._session.source.settle("snapshots")
        return found

    def abandon(self, run_id: UUID) -> None:
        """Clear up after a run whose process is dead for certain."""
        from common.repository.pruning.abandon import abandon  # noqa: PLC0415 - few runs die

        abandon(self._session, run_id)

    def forget(self, snapshot_id: str, reason: str, *, chain: str = "deletions") -> None:
        """Remove a backup from the list, with a tombstone in ``chain``. Repeatable.

        Its space comes back with ``prune``. A chain has one writer: each station its own.

        Raises:
            NotFound: there is no such backup.
        """
        forget(self._session, snapshot_id, reason, chain)
