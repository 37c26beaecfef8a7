"""What backup-worker is told and tells."""

from typing import ClassVar, Literal

from common.messages.base import Command, ComponentResult, Event, Failure

BackupType = Literal["full", "incremental", "db_full", "db_incremental", "files", "config"]


class RunBackup(Command):
    """Back up the named components of a station. An empty ``components`` means all of them."""

    type: ClassVar[str] = "backup.run"
    queue: ClassVar[str] = "backup-worker.commands"

    backup_id: str
    backup_name: str
    station: str = "main"
    plan: str = "manual"
    backup_type: BackupType = "full"
    components: tuple[str, ...] = ()
    upload_to_cloud: bool = True


class CancelBackup(Command):
    """Stop a backup that waits or runs; nothing of it is listed."""

    type: ClassVar[str] = "backup.cancel"
    queue: ClassVar[str] = "backup-worker.control"

    backup_id: str


class BackupStarted(Event):
    """A worker has taken the backup; also said again after a takeover, with a higher attempt."""

    type: ClassVar[str] = "backup.started"

    backup_id: str
    backup_name: str
    station: str
    worker: str
    attempt: int = 1


class BackupCompleted(Event):
    """The backup stands in the repository. ``counter`` is its place in the plan's chain."""

    type: ClassVar[str] = "backup.completed"

    backup_id: str
    backup_name: str
    station: str
    plan: str
    backup_type: str
    snapshot_id: str
    chain: str
    counter: int
    components: tuple[ComponentResult, ...]
    entries: int
    size_bytes: int
    added_bytes: int
    stored_bytes: int
    duration_seconds: float
    encrypted: bool
    upload_to_cloud: bool = True
    warnings: tuple[str, ...] = ()


class BackupFailed(Event):
    """The backup failed and is not listed as restorable."""

    type: ClassVar[str] = "backup.failed"

    backup_id: str
    backup_name: str
    station: str
    failure: Failure


class BackupCancelled(Event):
    """The backup was stopped on request."""

    type: ClassVar[str] = "backup.cancelled"

    backup_id: str
    backup_name: str
    station: str
