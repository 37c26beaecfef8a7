"""Runs uploads as jobs: one round at one destination."""

import asyncio
import time
from collections.abc import Mapping

from common.errors import NotFound
from common.jobs import Job
from common.messages import Failure, RunUpload, UploadCompleted, UploadFailed
from common.outbox import Context
from common.repository.format.names import CONFIG, snapshot_name
from common.storage.local import LocalDirectory
from storage_uploader.copying import Copier
from storage_uploader.destination import Place, check_identity, has_repository, repository_of
from storage_uploader.domain import Amount, pause_after
from storage_uploader.reconciling import reconcile
from storage_uploader.settings import UploaderSettings
from storage_uploader.store import destinations, objects, uploads
from storage_uploader.store.uploads import Upload

_KEPT_DAYS = 90


class UploadJobs:
    """The handler of ``upload.run``."""

    def __init__(self, settings: UploaderSettings, places: Mapping[str, Place]) -> None:
        self._settings, self._places = settings, places
        self._directory = LocalDirectory(settings.backup_local_dir)

    async def run(self, job: Job[RunUpload]) -> None:
        """Bring the destination up to date, then say of every backup that is proven there."""
        upload = await self._find(job)
        if upload is None:
            return
        started = time.monotonic()
        brought = Amount()
        if await self._is_there_anything(upload):
            brought = await self._bring_up_to_date(job, upload)
        async with job.commit() as context:
            if upload.purpose == "reconcile":
                period = self._settings.strongroom_reconcile_seconds
                await destinations.mark_reconciled(context.conn, upload.destination_id, period)
                await uploads.purge(context.conn, _KEPT_DAYS)
            for ended in await uploads.complete(context.conn, upload, brought):
                if ended.purpose == "backup":
                    await _tell_completed(context, ended, brought, time.monotonic() - started)

    async def failed(self, context: Context, job: Job[RunUpload], failure: Failure) -> None:
        """The round has failed; the scheduler begins the next one."""
        message = job.message
        pause = pause_after(message.round, self._settings.strongroom_upload_retry_seconds)
        retry_at = await uploads.fail(context.conn, message.upload_id, failure, pause)
        if retry_at is None or not message.backup_id:
            return
        event = UploadFailed(
            backup_id=message.backup_id,
            destination=message.destination,
            failure=failure,
            retry_at=retry_at,
        )
        await context.send(event)
        await _audit(context, message.backup_id, "failed", event.model_dump(mode="json"))

    async def cancelled(self, context: Context, job: Job[RunUpload]) -> None:
        """Nobody asks for this; the next comparison brings what is missing."""

    async def _find(self, job: Job[RunUpload]) -> Upload | None:
        async with job.transaction() as context:
            found = await uploads.find(context.conn, job.message.upload_id)
        return next((upload for upload in found if upload.status == "waiting"), None)

    async def _is_there_anything(self, upload: Upload) -> bool:
        there = await asyncio.to_thread(has_repository, self._directory)
        if not there and upload.purpose != "reconcile":
            raise NotFound(
                f"There is no repository in {self._directory.path}.",
                remedy="Give storage-uploader the same BACKUP_LOCAL_DIR as backup-worker.",
            )
        return there

    async def _bring_up_to_date(self, job: Job[RunUpload], upload: Upload) -> Amount:
        place = self._places[upload.destination]
        complete = await self._prepare(job, upload, place)
        if upload.purpose == "reconcile" or not complete:
            await reconcile(job, upload, place)
        brought = await Copier(job, upload, self._directory, place).copy()
        if upload.purpose == "backup":
            await self._require_snapshot(job, upload)
        elif upload.purpose == "deletion":
            await self._remove_snapshot(job, upload, place)
        return brought

    async def _prepare(self, job: Job[RunUpload], upload: Upload, place: Place) -> bool:
        """Whether an earlier round got as far as the config: then what was proven is there."""
        repository = repository_of(await asyncio.to_thread(self._directory.read, CONFIG))
        if not upload.prepared:
            await place.store.prepare()
        async with job.transaction() as context:
            had_config = await objects.is_there(context.conn, upload.destination_id, CONFIG)
        has_config = await check_identity(place, repository, had_config=had_config)
        if not upload.prepared:
            async with job.transaction() as context:
                await destinations.mark_prepared(context.conn, upload.destination_id)
        return has_config

    async def _require_snapshot(self, job: Job[RunUpload], upload: Upload) -> None:
        name = snapshot_name(upload.snapshot_id)
        async with job.transaction() as context:
            there = await objects.is_there(context.conn, upload.destination_id, name)
        if not there:
            raise NotFound(
                f"The snapshot of backup {upload.backup_id} is not in the repository.",
                remedy="Check BACKUP_LOCAL_DIR, and whether the backup was deleted.",
            )

    async def _remove_snapshot(self, job: Job[RunUpload], upload: Upload, place: Place) -> None:
        """Only after its tombstone is there; and not if it has come back to the repository."""
        name = snapshot_name(upload.snapshot_id)
        if await asyncio.to_thread(self._directory.exists, name):
            return
        await place.store.delete(name)
        async with job.transaction() as context:
            await objects.forget(context.conn, upload.destination_id, name)


async def _tell_completed(
    context: Context, upload: Upload, brought: Amount, seconds: float
) -> None:
    event = UploadCompleted(
        backup_id=upload.backup_id,
        destination=upload.destination,
        objects=brought.objects,
        size_bytes=brought.size_bytes,
        duration_seconds=round(seconds, 3),
    )
    await context.send(event)
    await _audit(context, upload.backup_id, "completed", event.model_dump(mode="json"))


async def _audit(context: Context, backup_id: str, status: str, data: dict[str, object]) -> None:
    await context.audit(
        "upload",
        event_type=f"upload_{status}",
        entity_type="backup",
        entity_id=backup_id,
        success=status == "completed",
        risk_level="low" if status == "completed" else "medium",
        data={"status": status, **data},
    )
