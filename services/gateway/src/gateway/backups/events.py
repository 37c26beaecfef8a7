"""The read model: what the workers' events add to the lists.

Every handler finds or makes the rows it speaks of, so that an event for something that was never
asked for here, or one that comes late, is as good as any other.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from common.messages import (
    BackupCancelled,
    BackupCompleted,
    BackupDeleted,
    BackupFailed,
    BackupStarted,
    BackupVerified,
    DeletionFailed,
    Message,
    RestoreCancelled,
    RestoreCompleted,
    RestoreFailed,
    RestoreStarted,
    UploadCompleted,
    UploadFailed,
    VerificationFailed,
)
from common.outbox import Context
from gateway.backups import domain, store
from gateway.backups.domain import Backup, BackupState
from gateway.operations import store as operations
from gateway.operations.domain import Kind, Operation, Report, State, told

QUEUE = "gateway.events"
EVENTS = ("backup.*", "restore.*", "verification.*", "deletion.*", "upload.*")


def _time(context: Context) -> datetime:
    return context.envelope.time if context.envelope else datetime.now(UTC)


async def _tell(
    context: Context, kind: Kind, operation_id: str, backup_id: str, report: Report
) -> None:
    heard = Operation(operation_id, kind, backup_id, report.at, requested_by=context.actor.user)
    await operations.add(context.conn, heard)
    operation = await operations.lock(context.conn, operation_id)
    if operation is not None:
        await operations.save(context.conn, told(operation, report))


async def _learn(context: Context, backup_id: str, change: Callable[[Backup], Backup]) -> None:
    backup = await store.first_heard(context.conn, backup_id, _time(context))
    await store.save(context.conn, change(backup))


def _result(message: Message, *ids: str) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude={"backup_id", "backup_name", "station", *ids})


async def backup_started(context: Context, event: BackupStarted) -> None:
    """A worker has begun, or begun again."""
    at = _time(context)

    def change(backup: Backup) -> Backup:
        backup = domain.named(backup, event.backup_name, event.station)
        return domain.reached(backup, BackupState.RUNNING)

    await _learn(context, event.backup_id, change)
    report = Report(State.RUNNING, at, event.worker, event.attempt)
    await _tell(context, Kind.BACKUP, event.backup_id, event.backup_id, report)


async def backup_completed(context: Context, event: BackupCompleted) -> None:
    """The backup stands in the repository."""
    at = _time(context)
    await _learn(context, event.backup_id, lambda backup: domain.completed(backup, event, at))
    report = Report(State.SUCCEEDED, at, result=_result(event))
    await _tell(context, Kind.BACKUP, event.backup_id, event.backup_id, report)


async def backup_ended_badly(context: Context, event: BackupFailed | BackupCancelled) -> None:
    """The backup failed or was cancelled; nothing of it is kept."""
    at = _time(context)
    failure = event.failure.model_dump() if isinstance(event, BackupFailed) else None
    state = BackupState.FAILED if isinstance(event, BackupFailed) else BackupState.CANCELLED

    def change(backup: Backup) -> Backup:
        backup = domain.named(backup, event.backup_name, event.station)
        return domain.reached(backup, state, at, failure)

    await _learn(context, event.backup_id, change)
    report = Report(State(state.value), at, failure=failure)
    await _tell(context, Kind.BACKUP, event.backup_id, event.backup_id, report)


async def backup_deleted(context: Context, event: BackupDeleted) -> None:
    """The backup is gone from the repository."""
    await _learn(
        context, event.backup_id, lambda backup: domain.reached(backup, BackupState.DELETED)
    )
    report = Report(State.SUCCEEDED, _time(context), result=_result(event, "deletion_id"))
    await _tell(context, Kind.DELETION, event.deletion_id, event.backup_id, report)


async def deletion_failed(context: Context, event: DeletionFailed) -> None:
    """The backup is still there."""
    report = Report(State.FAILED, _time(context), failure=event.failure.model_dump())
    await _tell(context, Kind.DELETION, event.deletion_id, event.backup_id, report)


async def backup_verified(context: Context, event: BackupVerified) -> None:
    """A verification has ended, well or with findings."""
    at = _time(context)
    await _learn(context, event.backup_id, lambda backup: domain.verified(backup, event.ok, at))
    report = Report(State.SUCCEEDED, at, result=_result(event, "verification_id"))
    await _tell(context, Kind.VERIFICATION, event.verification_id, event.backup_id, report)


async def verification_failed(context: Context, event: VerificationFailed) -> None:
    """The verification could not run."""
    report = Report(State.FAILED, _time(context), failure=event.failure.model_dump())
    await _tell(context, Kind.VERIFICATION, event.verification_id, event.backup_id, report)


async def restore_started(context: Context, event: RestoreStarted) -> None:
    """A worker has begun to restore, or begun again."""
    report = Report(State.RUNNING, _time(context), event.worker, event.attempt)
    await _tell(context, Kind.RESTORE, event.restore_id, event.backup_id, report)


async def restore_completed(context: Context, event: RestoreCompleted) -> None:
    """A restore has brought everything back."""
    at = _time(context)
    await _learn(context, event.backup_id, lambda backup: domain.restored(backup, at))
    report = Report(State.SUCCEEDED, at, result=_result(event, "restore_id"))
    await _tell(context, Kind.RESTORE, event.restore_id, event.backup_id, report)


async def restore_failed(context: Context, event: RestoreFailed) -> None:
    """A restore has failed."""
    report = Report(State.FAILED, _time(context), failure=event.failure.model_dump())
    await _tell(context, Kind.RESTORE, event.restore_id, event.backup_id, report)


async def restore_cancelled(context: Context, event: RestoreCancelled) -> None:
    """A restore, or a verification, was stopped on request."""
    report = Report(State.CANCELLED, _time(context))
    await _tell(context, Kind.RESTORE, event.restore_id, event.backup_id, report)


async def upload_completed(context: Context, event: UploadCompleted) -> None:
    """A destination has the backup."""
    await store.save_upload(
        context.conn,
        store.Copy(
            event.backup_id,
            event.destination,
            "completed",
            _time(context),
            objects=event.objects,
            size_bytes=event.size_bytes,
        ),
    )


async def upload_failed(context: Context, event: UploadFailed) -> None:
    """A destination does not have the backup yet."""
    await store.save_upload(
        context.conn,
        store.Copy(
            event.backup_id,
            event.destination,
            "failed",
            _time(context),
            failure=event.failure.model_dump(),
            retry_at=event.retry_at,
        ),
    )


HANDLERS: Mapping[type[Message], Callable[[Context, Any], Awaitable[None]]] = {
    BackupStarted: backup_started,
    BackupCompleted: backup_completed,
    BackupFailed: backup_ended_badly,
    BackupCancelled: backup_ended_badly,
    BackupDeleted: backup_deleted,
    DeletionFailed: deletion_failed,
    BackupVerified: backup_verified,
    VerificationFailed: verification_failed,
    RestoreStarted: restore_started,
    RestoreCompleted: restore_completed,
    RestoreFailed: restore_failed,
    RestoreCancelled: restore_cancelled,
    UploadCompleted: upload_completed,
    UploadFailed: upload_failed,
}
