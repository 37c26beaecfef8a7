"""Restores over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from common.db import borrowed
from common.errors import NotFound
from common.web import error_answers
from gateway.identity.access import TheCaller, TheIdentity, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.operations import handlers as operations
from gateway.operations import store
from gateway.operations.domain import Kind
from gateway.operations.routes import ACCEPTED_FOR_ONE, OperationAnswer, TheKey, TheWait, accepted
from gateway.platform import ThePlatform
from gateway.restores import handlers
from gateway.restores.schemas import RestoreFilter, RestoreRequest

router = guarded_router()


class RestorePage(BaseModel):
    """Some restores, newest first, and how many there are in all."""

    restores: list[OperationAnswer]
    total: int = Field(examples=[1])
    limit: int = Field(examples=[50])
    offset: int = Field(examples=[0])


@router.post(
    "/api/backups/{backup_id}/restore",
    tags=["restores"],
    status_code=202,
    responses=ACCEPTED_FOR_ONE,
)
@needs(Permission.BACKUPS_RESTORE, stations=True)
async def restore_backup(
    backup_id: UUID,
    caller: TheCaller,
    identity: TheIdentity,
    platform: ThePlatform,
    key: TheKey,
    wait: TheWait,
    body: RestoreRequest | None = None,
) -> Response:
    """Restore a backup: all of it or a part, beside the source or over it.

    Over the source (`in_place`) needs a factor that was given lately.
    """
    wish = (body or RestoreRequest()).wish()
    if wish.in_place:
        await identity.require_fresh(caller)
    operation = await operations.submit(
        platform,
        caller,
        key,
        lambda context: handlers.begin_restore(context, caller, str(backup_id), wish),
    )
    return await accepted(platform, operation, wait)


@router.get("/api/restores", tags=["restores"])
@needs(Permission.BACKUPS_READ)
async def list_restores(
    platform: ThePlatform, wanted: Annotated[RestoreFilter, Query()]
) -> RestorePage:
    """List restores, newest first."""
    chosen = store.Wanted(Kind.RESTORE, wanted.state, limit=wanted.limit, offset=wanted.offset)
    async with borrowed(platform.pool) as connection:
        found, total = await store.page(connection, chosen)
    return RestorePage(
        restores=[OperationAnswer.of(operation) for operation in found],
        total=total,
        limit=wanted.limit,
        offset=wanted.offset,
    )


@router.get("/api/restores/{restore_id}", tags=["restores"], responses=error_answers(404))
@needs(Permission.BACKUPS_READ)
async def show_restore(restore_id: UUID, platform: ThePlatform) -> OperationAnswer:
    """Show a restore."""
    operation = await operations.find(platform.pool, str(restore_id))
    if operation.kind is not Kind.RESTORE:
        raise NotFound("There is no such restore.")
    return OperationAnswer.of(operation)


@router.post(
    "/api/restores/{restore_id}/cancel",
    tags=["restores"],
    status_code=202,
    responses=ACCEPTED_FOR_ONE,
)
@needs(Permission.BACKUPS_RESTORE, stations=True)
async def cancel_restore(
    restore_id: UUID, caller: TheCaller, platform: ThePlatform, wait: TheWait
) -> Response:
    """Stop a restore that waits or runs. What it has written beside the source is removed.

    Files in place stay as far as they were restored, and so do databases that are whole already.
    """
    async with platform.transaction(caller.actor()) as context:
        operation = await handlers.cancel_restore(context, caller, str(restore_id))
    return await accepted(platform, operation, wait)


@router.post(
    "/api/verifications/{verification_id}/cancel",
    status_code=202,
    responses=ACCEPTED_FOR_ONE,
    tags=["backups"],
)
@needs(Permission.BACKUPS_CREATE, stations=True)
async def cancel_verification(
    verification_id: UUID, caller: TheCaller, platform: ThePlatform, wait: TheWait
) -> Response:
    """Stop a verification that waits or runs. It then says nothing about the backup."""
    async with platform.transaction(caller.actor()) as context:
        operation = await handlers.cancel_verification(context, caller, str(verification_id))
    return await accepted(platform, operation, wait)
