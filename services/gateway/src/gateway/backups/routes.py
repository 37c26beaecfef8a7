"""Backups over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from common.db import borrowed
from common.errors import NotFound
from common.web import error_answers
from gateway.backups import handlers, store
from gateway.backups.domain import BackupState
from gateway.backups.schemas import (
    BackupAnswer,
    BackupFilter,
    BackupPage,
    BackupRequest,
    OverviewAnswer,
    VerifyRequest,
)
from gateway.identity.access import TheCaller, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.operations.handlers import submit
from gateway.operations.routes import ACCEPTED, ACCEPTED_FOR_ONE, TheKey, TheWait, accepted
from gateway.platform import ThePlatform
from gateway.text import PRINTABLE
from gateway.validation.fields import PlainText

router = guarded_router(prefix="/api/backups", tags=["backups"])

Reason = Annotated[PlainText, Query(pattern=PRINTABLE, description="For the audit log.")]
SHOWN = [state for state in BackupState if state is not BackupState.DELETED]


@router.post("", status_code=202, responses=ACCEPTED)
@needs(Permission.BACKUPS_CREATE, stations=True)
async def create_backup(
    caller: TheCaller,
    platform: ThePlatform,
    key: TheKey,
    wait: TheWait,
    body: BackupRequest | None = None,
) -> Response:
    """Take a backup now. The operation has the id of the backup."""
    wish = (body or BackupRequest()).wish(platform.settings.gateway_station)
    operation = await submit(
        platform,
        caller,
        key,
        lambda context: handlers.begin_backup(context, caller, wish),
    )
    return await accepted(platform, operation, wait)


@router.get("")
@needs(Permission.BACKUPS_READ, stations=True)
async def list_backups(
    caller: TheCaller, platform: ThePlatform, wanted: Annotated[BackupFilter, Query()]
) -> BackupPage:
    """List backups, newest first. What a worker has just done is here a moment later."""
    station = wanted.station or caller.station or None
    if station is not None:
        caller.check_station(station)
    chosen = store.Wanted(wanted.state or SHOWN, station, wanted.name, wanted.limit, wanted.offset)
    async with borrowed(platform.pool) as connection:
        found, total = await store.page(connection, chosen)
    return BackupPage(
        backups=[BackupAnswer.of(listed) for listed in found],
        total=total,
        limit=wanted.limit,
        offset=wanted.offset,
    )


@router.get("/overview")
@needs(Permission.BACKUPS_READ)
async def show_overview(platform: ThePlatform) -> OverviewAnswer:
    """Am I safe: the last good backup, the last proof that one comes back, and the sizes."""
    async with borrowed(platform.pool) as connection:
        return OverviewAnswer.of(await store.statistics(connection))


@router.get("/{backup_id}", responses=error_answers(404))
@needs(Permission.BACKUPS_READ, stations=True)
async def show_backup(backup_id: UUID, caller: TheCaller, platform: ThePlatform) -> BackupAnswer:
    """Show a backup, deleted ones included."""
    async with borrowed(platform.pool) as connection:
        listed = await store.show(connection, str(backup_id))
    if listed is None:
        raise NotFound("There is no such backup.")
    caller.check_station(listed.backup.station)
    return BackupAnswer.of(listed)


@router.post("/{backup_id}/verify", status_code=202, responses=ACCEPTED_FOR_ONE)
@needs(Permission.BACKUPS_CREATE, stations=True)
async def verify_backup(
    backup_id: UUID,
    caller: TheCaller,
    platform: ThePlatform,
    key: TheKey,
    wait: TheWait,
    body: VerifyRequest | None = None,
) -> Response:
    """Check that everything that a backup consists of is there and unharmed."""
    read_data = (body or VerifyRequest()).read_data
    operation = await submit(
        platform,
        caller,
        key,
        lambda context: handlers.begin_verification(
            context, caller, str(backup_id), read_data=read_data
        ),
    )
    return await accepted(platform, operation, wait)


@router.post("/{backup_id}/cancel", status_code=202, responses=ACCEPTED_FOR_ONE)
@needs(Permission.BACKUPS_CREATE, stations=True)
async def cancel_backup(
    backup_id: UUID, caller: TheCaller, platform: ThePlatform, wait: TheWait
) -> Response:
    """Stop a backup that waits or runs. Nothing of it is kept."""
    async with platform.transaction(caller.actor()) as context:
        operation = await handlers.cancel_backup(context, caller, str(backup_id))
    return await accepted(platform, operation, wait)


@router.delete("/{backup_id}", status_code=202, responses=ACCEPTED_FOR_ONE)
@needs(Permission.BACKUPS_DELETE, fresh=True, stations=True)
async def delete_backup(
    backup_id: UUID,
    caller: TheCaller,
    platform: ThePlatform,
    key: TheKey,
    wait: TheWait,
    reason: Reason = "",
) -> Response:
    """Delete a backup from the repository. Its space comes back with the next prune."""
    operation = await submit(
        platform,
        caller,
        key,
        lambda context: handlers.begin_deletion(context, caller, str(backup_id), reason=reason),
    )
    return await accepted(platform, operation, wait)
