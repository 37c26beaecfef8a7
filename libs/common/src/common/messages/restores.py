"""What restore-worker is told and tells."""

from typing import ClassVar

from pydantic import Field

from common.messages.base import Command, ComponentResult, Event, Failure


class RunRestore(Command):
    """Restore a snapshot: all of it, some components, some paths; in place or elsewhere.

    ``target`` is a folder below the worker's restore root for files, and ``databases`` maps a
    component to the database it is restored into. ``in_place`` restores over the source.
    """

    type: ClassVar[str] = "restore.run"
    queue: ClassVar[str] = "restore-worker.commands"

    restore_id: str
    backup_id: str
    snapshot_id: str
    station: str = "main"
    components: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    target: str = ""
    databases: dict[str, str] = Field(default_factory=dict)
    in_place: bool = False


class VerifyBackup(Command):
    """Check a snapshot: structure and chain, and with ``read_data`` every byte of content."""

    type: ClassVar[str] = "backup.verify"
    queue: ClassVar[str] = "restore-worker.commands"

    verification_id: str
    backup_id: str
    snapshot_id: str
    station: str = "main"
    read_data: bool = True


class DeleteBackup(Command):
    """Remove a snapshot from the repository, with a tombstone in its chain."""

    type: ClassVar[str] = "backup.delete"
    queue: ClassVar[str] = "restore-worker.commands"

    deletion_id: str
    backup_id: str
    snapshot_id: str
    station: str = "main"
    reason: str = ""


class CancelRestore(Command):
    """Stop a restore or verification that waits or runs."""

    type: ClassVar[str] = "restore.cancel"
    queue: ClassVar[str] = "restore-worker.control"

    operation_id: str


class RestoreStarted(Event):
    """A worker has taken the restore."""

    type: ClassVar[str] = "restore.started"

    restore_id: str
    backup_id: str
    worker: str
    attempt: int = 1


class RestoreCompleted(Event):
    """Everything asked for is restored at ``target``."""

    type: ClassVar[str] = "restore.completed"

    restore_id: str
    backup_id: str
    target: str
    components: tuple[ComponentResult, ...]
    entries: int
    size_bytes: int
    duration_seconds: float
    warnings: tuple[str, ...] = ()


class RestoreFailed(Event):
    """The restore stopped with an error; what it had written is named in the failure."""

    type: ClassVar[str] = "restore.failed"

    restore_id: str
    backup_id: str
    failure: Failure


class RestoreCancelled(Event):
    """The restore was stopped on request."""

    type: ClassVar[str] = "restore.cancelled"

    restore_id: str
    backup_id: str


class BackupVerified(Event):
    """A verification has ended. ``findings`` is empty when all is well."""

    type: ClassVar[str] = "backup.verified"

    verification_id: str
    backup_id: str
    ok: bool
    objects: int
    read_bytes: int
    duration_seconds: float
    findings: tuple[str, ...] = ()


class VerificationFailed(Event):
    """The verification itself could not run; it says nothing about the backup."""

    type: ClassVar[str] = "verification.failed"

    verification_id: str
    backup_id: str
    failure: Failure


class BackupDeleted(Event):
    """The snapshot is gone; its space comes back with the next prune."""

    type: ClassVar[str] = "backup.deleted"

    deletion_id: str
    backup_id: str
    snapshot_id: str
    reason: str = ""


class DeletionFailed(Event):
    """The snapshot was not removed."""

    type: ClassVar[str] = "deletion.failed"

    deletion_id: str
    backup_id: str
    failure: Failure
