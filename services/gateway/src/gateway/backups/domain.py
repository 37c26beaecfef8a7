"""What is known of a backup, how that grows with each event, and what may be done with it.

Events come more than once, late and in any order, and for backups that were never asked for here.
Each function below only adds, so that the outcome does not depend on the order; a completed
backup never runs again, and a deleted one never comes back.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from common.errors import Conflict
from common.messages import BackupCompleted
from gateway.operations.domain import Kind

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
COMPONENT = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$"
STATION = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


class BackupState(StrEnum):
    """The order is that of certainty: what comes later here outweighs the rest."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    DELETED = "deleted"

    @property
    def rank(self) -> int:
        """The state's place in that order."""
        return list(BackupState).index(self)


# A name in one of these states is taken.
LIVE = (BackupState.QUEUED, BackupState.RUNNING, BackupState.COMPLETED)


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as lists show it."""

    id: str
    created_at: datetime
    state: BackupState = BackupState.QUEUED
    name: str = ""
    station: str = ""
    plan: str = ""
    backup_type: str = ""
    components: list[str] = field(default_factory=list)
    snapshot_id: str = ""
    entries: int = 0
    size_bytes: int = 0
    added_bytes: int = 0
    stored_bytes: int = 0
    duration_seconds: float = 0.0
    encrypted: bool | None = None
    upload_to_cloud: bool = True
    warnings: list[str] = field(default_factory=list)
    failure: dict[str, Any] | None = None
    finished_at: datetime | None = None
    verified_at: datetime | None = None
    verified_ok: bool | None = None
    restored_at: datetime | None = None


def named(backup: Backup, name: str, station: str) -> Backup:
    """Learn the name of a backup that was first heard of by an event."""
    return replace(backup, name=backup.name or name, station=backup.station or station)


def reached(
    backup: Backup,
    state: BackupState,
    at: datetime | None = None,
    failure: dict[str, Any] | None = None,
) -> Backup:
    """The backup is in this state, unless more is known already. ``at`` is when it ended so."""
    if state.rank <= backup.state.rank:
        return backup
    if at is None:
        return replace(backup, state=state)
    return replace(backup, state=state, finished_at=at, failure=failure)


def completed(backup: Backup, told: BackupCompleted, at: datetime) -> Backup:
    """The backup stands in the repository, or stood there if it has been deleted since."""
    backup = reached(named(backup, told.backup_name, told.station), BackupState.COMPLETED, at)
    return replace(
        backup,
        plan=told.plan,
        backup_type=told.backup_type,
        components=[component.name for component in told.components],
        snapshot_id=told.snapshot_id,
        entries=told.entries,
        size_bytes=told.size_bytes,
        added_bytes=told.added_bytes,
        stored_bytes=told.stored_bytes,
        duration_seconds=told.duration_seconds,
        encrypted=told.encrypted,
        upload_to_cloud=told.upload_to_cloud,
        warnings=list(told.warnings),
        finished_at=at,
        failure=None,
    )


def verified(backup: Backup, ok: bool, at: datetime) -> Backup:
    """A verification has ended; the latest one counts."""
    if backup.verified_at is not None and at <= backup.verified_at:
        return backup
    return replace(backup, verified_at=at, verified_ok=ok)


def restored(backup: Backup, at: datetime) -> Backup:
    """A restore has succeeded; the latest one counts."""
    return replace(backup, restored_at=max(backup.restored_at or at, at))


_NOT_THERE = {
    BackupState.QUEUED: "The backup has not been taken yet.",
    BackupState.RUNNING: "The backup is still running.",
    BackupState.CANCELLED: "The backup was cancelled: nothing of it was kept.",
    BackupState.FAILED: "The backup failed: nothing of it was kept.",
    BackupState.DELETED: "The backup has been deleted.",
}


def check_readable(backup: Backup, active: Collection[Kind]) -> None:
    """Refuse to restore or verify what is not there, or is about to go."""
    if backup.state is not BackupState.COMPLETED:
        raise Conflict(_NOT_THERE[backup.state])
    if Kind.DELETION in active:
        raise Conflict("The backup is being deleted.")


def check_deletable(backup: Backup, active: Collection[Kind]) -> None:
    """Refuse to delete what is not there, or is in use."""
    check_readable(backup, active)
    if Kind.RESTORE in active or Kind.VERIFICATION in active:
        raise Conflict("The backup is being restored or verified: wait, or cancel that first.")


def check_cancellable(backup: Backup) -> None:
    """Refuse to cancel what has ended."""
    if backup.state not in (BackupState.QUEUED, BackupState.RUNNING):
        raise Conflict(f"The backup has ended already: it is {backup.state}.")


def generated_name(backup_type: str, backup_id: str, at: datetime) -> str:
    """A name for a backup that was asked for without one."""
    return f"{backup_type}-{at:%Y%m%dT%H%M%SZ}-{backup_id[-6:]}"
