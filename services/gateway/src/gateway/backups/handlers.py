"""Asking for backups and for what is done with them: each one transaction."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from common.errors import Conflict, Invalid, NotFound
from common.messages import BackupType, CancelBackup, DeleteBackup, RunBackup, VerifyBackup, uuid7
from common.outbox import Context
from gateway.backups import store
from gateway.backups.domain import (
    Backup,
    check_cancellable,
    check_deletable,
    check_readable,
    generated_name,
)
from gateway.identity.domain import Caller
from gateway.operations import store as operations
from gateway.operations.domain import Kind, Operation


class NameTaken(Conflict):
    """There is a backup of that name already."""

    code = "name_taken"


@dataclass(frozen=True, slots=True)
class Wish:
    """A backup that is asked for. No components means all; an empty name means any."""

    name: str = ""
    station: str = "main"
    backup_type: BackupType = "full"
    components: tuple[str, ...] = ()
    upload_to_cloud: bool = True


async def begin_backup(context: Context, caller: Caller, wish: Wish) -> Operation:
    """Ask for a backup.

    Raises:
        NameTaken: a backup that is there or on its way has the name.
    """
    caller.check_station(wish.station)
    context = replace(context, actor=caller.actor(wish.station))
    backup_id, now = str(uuid7()), datetime.now(UTC)
    name = wish.name or generated_name(wish.backup_type, backup_id, now)
    if await store.name_taken(context.conn, name):
        raise NameTaken
    await _list(context, replace(wish, name=name), backup_id, now)
    await context.send(
        RunBackup(
            backup_id=backup_id,
            backup_name=name,
            station=wish.station,
            backup_type=wish.backup_type,
            components=wish.components,
            upload_to_cloud=wish.upload_to_cloud,
        )
    )
    data = {
        "backup_name": name,
        "backup_type": wish.backup_type,
        "components": list(wish.components),
        "upload_to_cloud": wish.upload_to_cloud,
        "status": "queued",
    }
    await audit(context, caller, "create", "backup", backup_id, data)
    return Operation(
        backup_id,
        Kind.BACKUP,
        backup_id,
        now,
        station=wish.station,
        request=data,
        requested_by=caller.user_id,
    )


async def _list(context: Context, wish: Wish, backup_id: str, now: datetime) -> None:
    """Show the backup in the lists before any worker has heard of it."""
    backup = await store.first_heard(context.conn, backup_id, now)
    backup = replace(
        backup,
        name=wish.name,
        station=wish.station,
        plan="manual",
        backup_type=wish.backup_type,
        components=list(wish.components),
        upload_to_cloud=wish.upload_to_cloud,
    )
    await store.save(context.conn, backup)


async def begin_verification(
    context: Context, caller: Caller, backup_id: str, *, read_data: bool
) -> Operation:
    """Ask for a check of what is kept of a backup."""
    context, backup = await for_reading(context, caller, backup_id)
    operation = new_operation(
        Kind.VERIFICATION, backup, caller, {"backup_name": backup.name, "read_data": read_data}
    )
    await context.send(
        VerifyBackup(
            verification_id=operation.id,
            backup_id=backup.id,
            snapshot_id=backup.snapshot_id,
            station=backup.station,
            read_data=read_data,
        )
    )
    await audit(context, caller, "verify", "backup", backup.id, operation.request)
    return operation


async def begin_deletion(
    context: Context, caller: Caller, backup_id: str, *, reason: str
) -> Operation:
    """Ask for the removal of a backup.

    Raises:
        Conflict: it is not there, or in use.
    """
    backup = await locked(context, caller, backup_id)
    check_deletable(backup, await operations.active_kinds(context.conn, backup.id))
    context = replace(context, actor=caller.actor(backup.station))
    operation = new_operation(
        Kind.DELETION, backup, caller, {"backup_name": backup.name, "reason": reason}
    )
    await context.send(
        DeleteBackup(
            deletion_id=operation.id,
            backup_id=backup.id,
            snapshot_id=backup.snapshot_id,
            station=backup.station,
            reason=reason,
        )
    )
    await audit(context, caller, "delete", "backup", backup.id, operation.request, risk="high")
    return operation


async def cancel_backup(context: Context, caller: Caller, backup_id: str) -> Operation:
    """Ask for the end of a backup that waits or runs.

    Raises:
        Conflict: it has ended already.
    """
    backup = await locked(context, caller, backup_id)
    check_cancellable(backup)
    context = replace(context, actor=caller.actor(backup.station))
    await context.send(CancelBackup(backup_id=backup.id))
    await audit(context, caller, "cancel", "backup", backup.id, {"backup_name": backup.name})
    operation = await operations.find(context.conn, backup.id)
    if operation is None:
        # Nobody asked for it here; what is known of it came by events.
        operation = Operation(backup.id, Kind.BACKUP, backup.id, backup.created_at)
        await operations.add(context.conn, operation)
    return operation


async def locked(context: Context, caller: Caller, backup_id: str) -> Backup:
    """The backup, locked so that what is decided about it still holds at the commit."""
    backup = await store.lock(context.conn, backup_id)
    if backup is None:
        raise NotFound("There is no such backup.")
    caller.check_station(backup.station)
    return backup


async def for_reading(context: Context, caller: Caller, backup_id: str) -> tuple[Context, Backup]:
    """A backup that can be read, and the context of the station where it is.

    Raises:
        Conflict: it is not there, or about to go.
    """
    backup = await locked(context, caller, backup_id)
    check_readable(backup, await operations.active_kinds(context.conn, backup.id))
    return replace(context, actor=caller.actor(backup.station)), backup


def new_operation(kind: Kind, backup: Backup, caller: Caller, request: dict[str, Any]) -> Operation:
    """An operation on a backup, with an id of its own."""
    return Operation(
        str(uuid7()),
        kind,
        backup.id,
        datetime.now(UTC),
        station=backup.station,
        request=request,
        requested_by=caller.user_id,
    )


def check_components(backup: Backup, components: tuple[str, ...]) -> None:
    """Refuse components that the backup does not have.

    Raises:
        Invalid: naming the first of them.
    """
    for name in components:
        if name not in backup.components:
            raise Invalid(
                f"The backup has no component {name}.",
                remedy=f"It has {', '.join(backup.components)}.",
            )


async def audit(
    context: Context,
    caller: Caller,
    action: str,
    entity: str,
    entity_id: str,
    data: dict[str, Any],
    *,
    risk: Literal["low", "medium", "high"] = "low",
) -> None:
    """Record in this transaction who asked for what, and from where."""
    await context.audit(
        action,
        event_type=f"{entity}_{action}",
        entity_type=entity,
        entity_id=entity_id,
        resource=caller.client.resource,
        user_agent=caller.client.user_agent,
        risk_level=risk,
        data=data,
    )
