"""Compares what a destination lists with what was proven to be there."""

from datetime import UTC, datetime, timedelta

from common.jobs import Job
from common.messages import RunUpload
from common.storage.store import ObjectInfo
from storage_uploader.destination import Place
from storage_uploader.store import objects
from storage_uploader.store.uploads import Upload

_BATCH = 1000
_UNFINISHED_FOR = timedelta(days=7)
_NAMED = 20


async def reconcile(job: Job[RunUpload], upload: Upload, place: Place) -> None:
    """Take back the proof of every object that is missing there or has another size.

    ``Copier`` then sends them again. What is there and is not known is left alone.
    """
    async with job.transaction() as context:
        since = await objects.now(context.conn)
    batch: list[ObjectInfo] = []
    async for info in place.store.list():
        batch.append(info)
        if len(batch) >= _BATCH:
            await _see(job, upload, batch)
            batch = []
    await _see(job, upload, batch)
    async with job.transaction() as context:
        lost = await objects.unprove_unseen(context.conn, upload.destination_id, since)
        if lost:
            await context.audit(
                "verify",
                event_type="destination_objects_lost",
                entity_type="destination",
                entity_id=place.name,
                success=False,
                risk_level="high",
                data={"lost": len(lost), "names": sorted(lost)[:_NAMED]},
            )
    await place.store.sweep(datetime.now(UTC) - _UNFINISHED_FOR)


async def _see(job: Job[RunUpload], upload: Upload, batch: list[ObjectInfo]) -> None:
    async with job.transaction() as context:
        await objects.mark_seen(
            context.conn,
            upload.destination_id,
            [info.name for info in batch],
            [info.size for info in batch],
        )
