"""Asking for restores, and for their end."""

from dataclasses import replace
from typing import Any

from common.errors import NotFound
from common.messages import CancelRestore, RunRestore
from common.outbox import Context
from gateway.backups.handlers import audit, check_components, for_reading, new_operation
from gateway.identity.domain import Caller
from gateway.operations import store as operations
from gateway.operations.domain import Kind, Operation, check_cancellable
from gateway.restores.domain import Wish, check_consistent


async def begin_restore(context: Context, caller: Caller, backup_id: str, wish: Wish) -> Operation:
    """Ask for a restore.

    Raises:
        Invalid: the wish contradicts itself or the backup.
        Conflict: the backup is not there.
    """
    check_consistent(wish)
    context, backup = await for_reading(context, caller, backup_id)
    check_components(backup, (*wish.components, *wish.databases))
    request: dict[str, Any] = {
        "backup_name": backup.name,
        "components": list(wish.components),
        "paths": list(wish.paths),
        "target": wish.target,
        "databases": dict(wish.databases),
        "in_place": wish.in_place,
    }
    operation = new_operation(Kind.RESTORE, backup, caller, request)
    await context.send(
        RunRestore(
            restore_id=operation.id,
            backup_id=backup.id,
            snapshot_id=backup.snapshot_id,
            station=backup.station,
            components=wish.components,
            paths=wish.paths,
            target=wish.target,
            databases=dict(wish.databases),
            in_place=wish.in_place,
        )
    )
    # The paths may be many and may say much; how many says enough.
    data = {**request, "backup_id": backup.id, "paths": len(wish.paths)}
    await audit(
        context,
        caller,
        "start",
        "restore",
        operation.id,
        data,
        risk="high" if wish.in_place else "medium",
    )
    return operation


async def cancel_restore(context: Context, caller: Caller, restore_id: str) -> Operation:
    """Ask for the end of a restore that waits or runs.

    Raises:
        Conflict: it has ended already.
    """
    operation = await operations.lock(context.conn, restore_id)
    if operation is None or operation.kind is not Kind.RESTORE:
        raise NotFound("There is no such restore.")
    return await _cancel(context, caller, operation)


async def cancel_verification(context: Context, caller: Caller, verification_id: str) -> Operation:
    """Ask for the end of a verification that waits or runs.

    Raises:
        Conflict: it has ended already.
    """
    operation = await operations.lock(context.conn, verification_id)
    if operation is None or operation.kind is not Kind.VERIFICATION:
        raise NotFound("There is no such verification.")
    return await _cancel(context, caller, operation)


async def _cancel(context: Context, caller: Caller, operation: Operation) -> Operation:
    caller.check_station(operation.station)
    check_cancellable(operation)
    context = replace(context, actor=caller.actor(operation.station))
    await context.send(CancelRestore(operation_id=operation.id))
    data = {"backup_id": operation.backup_id}
    await audit(context, caller, "cancel", operation.kind, operation.id, data)
    return operation
