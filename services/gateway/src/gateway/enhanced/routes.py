"""The documented enhanced-backup endpoints."""

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from common.db import borrowed
from common.web import error_answers
from gateway.backups import handlers as backups
from gateway.backups import store
from gateway.backups.domain import NAME
from gateway.backups.routes import SHOWN
from gateway.backups.schemas import BackupAnswer, BackupPage, Limits, OverviewAnswer
from gateway.enhanced.handlers import backup_named, check_encryption, health_of
from gateway.enhanced.schemas import (
    Accepted,
    Configuration,
    CreateRequest,
    HealthAnswer,
    RestoreByNameRequest,
)
from gateway.envelope import Enveloped, enveloped
from gateway.identity.access import TheCaller, TheIdentity, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.operations.domain import Operation, State
from gateway.operations.handlers import submit, wait_for_end
from gateway.operations.routes import OperationAnswer, TheKey, TheWait, accepted_headers
from gateway.platform import ThePlatform
from gateway.restores.handlers import begin_restore

router = guarded_router(prefix="/api/v2/enhanced-backup", tags=["enhanced-backup"])

ENVELOPED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Enveloped[Accepted],
        "description": "It has ended while the request waited (`Prefer: wait`).",
    },
    202: {"model": Enveloped[Accepted], "description": "It will be done."},
    **error_answers(400, 404, 409),
}
_STATUS = {State.SUCCEEDED: "success", State.FAILED: "failed", State.CANCELLED: "cancelled"}


async def _accepted(
    platform: ThePlatform, operation: Operation, wait: float, what: str
) -> Response:
    operation = await wait_for_end(platform.pool, operation, wait)
    name = operation.request.get("backup_name", "")
    status = _STATUS.get(operation.state, "accepted")
    data = Accepted.model_validate(
        {"backup_name": name, "status": status, "operation": OperationAnswer.of(operation)}
    )
    message = f"{what} {operation.state if operation.state.ended else 'accepted'}"
    headers = accepted_headers(operation, wait)
    return enveloped(200 if operation.state.ended else 202, message, data, headers)


@router.post("/create", status_code=202, responses=ENVELOPED)
@needs(Permission.BACKUPS_CREATE)
async def create(
    body: CreateRequest, caller: TheCaller, platform: ThePlatform, key: TheKey, wait: TheWait
) -> Response:
    """Take a backup now."""
    check_encryption(body.encrypt, platform.settings.backup_encryption_enabled)
    wish = backups.Wish(
        name=body.backup_name or "",
        station=platform.settings.gateway_station,
        components=tuple(body.components),
        upload_to_cloud=body.upload_to_cloud,
    )
    operation = await submit(
        platform, caller, key, lambda context: backups.begin_backup(context, caller, wish)
    )
    return await _accepted(platform, operation, wait, "Backup")


@router.get("/list")
@needs(Permission.BACKUPS_READ)
async def list_all(
    platform: ThePlatform, wanted: Annotated[Limits, Query()]
) -> Enveloped[BackupPage]:
    """List all backups with their metadata, newest first."""
    async with borrowed(platform.pool) as connection:
        found, total = await store.page(
            connection, store.Wanted(SHOWN, limit=wanted.limit, offset=wanted.offset)
        )
    page = BackupPage(
        backups=[BackupAnswer.of(listed) for listed in found],
        total=total,
        limit=wanted.limit,
        offset=wanted.offset,
    )
    return Enveloped(message="Backups retrieved successfully", data=page)


@router.post("/restore", status_code=202, responses=ENVELOPED)
@needs(Permission.BACKUPS_RESTORE)
async def restore(
    body: RestoreByNameRequest,
    caller: TheCaller,
    identity: TheIdentity,
    platform: ThePlatform,
    key: TheKey,
    wait: TheWait,
) -> Response:
    """Restore the backup of that name. Over the source it needs a factor given lately."""
    if body.in_place:
        await identity.require_fresh(caller)
    check_encryption(body.decrypt, platform.settings.backup_encryption_enabled)
    backup_id = await backup_named(platform.pool, body.backup_name)
    operation = await submit(
        platform,
        caller,
        key,
        lambda context: begin_restore(context, caller, backup_id, body.wish()),
    )
    return await _accepted(platform, operation, wait, "Restore")


@router.post("/verify/{backup_name}", status_code=202, responses=ENVELOPED)
@needs(Permission.BACKUPS_CREATE)
async def verify(
    backup_name: Annotated[str, Path(pattern=NAME)],
    caller: TheCaller,
    platform: ThePlatform,
    key: TheKey,
    wait: TheWait,
) -> Response:
    """Check every byte of the backup of that name."""
    backup_id = await backup_named(platform.pool, backup_name)
    operation = await submit(
        platform,
        caller,
        key,
        lambda context: backups.begin_verification(context, caller, backup_id, read_data=True),
    )
    return await _accepted(platform, operation, wait, "Verification")


@router.get("/stats")
@needs(Permission.BACKUPS_READ)
async def show_statistics(platform: ThePlatform) -> Enveloped[OverviewAnswer]:
    """Show numbers over all backups."""
    async with borrowed(platform.pool) as connection:
        numbers = OverviewAnswer.of(await store.statistics(connection))
    return Enveloped(message="Backup statistics retrieved successfully", data=numbers)


@router.get("/config")
@needs(Permission.MANAGE_SETTINGS)
async def show_configuration(platform: ThePlatform) -> Enveloped[Configuration]:
    """Show how backups are kept."""
    settings = platform.settings
    configuration = Configuration(
        local_dir=str(settings.backup_local_dir),
        encryption_enabled=settings.backup_encryption_enabled,
        encryption_algorithm="AES-256-GCM" if settings.backup_encryption_enabled else None,
        compression_type=settings.backup_compression_type,
        compression_level=settings.backup_compression_level,
    )
    return Enveloped(message="Backup configuration retrieved successfully", data=configuration)


@router.get("/health")
@needs(Permission.BACKUPS_READ)
async def show_health(platform: ThePlatform) -> Enveloped[HealthAnswer]:
    """Show whether backups can be taken, and whether what is there is well."""
    async with borrowed(platform.pool) as connection:
        numbers = await store.statistics(connection)
    health = await health_of(platform.health, numbers)
    return Enveloped(message=f"Backups are {health.status}", data=health)
