"""What events ask of storage-uploader."""

from collections.abc import Iterable

from common.messages import BackupCompleted, BackupDeleted, RunUpload
from common.outbox import Context
from storage_uploader.store import uploads
from storage_uploader.store.uploads import Upload


async def request_uploads(context: Context, event: BackupCompleted) -> None:
    """Bring a new backup to every destination of its station.

    One that is not to be uploaded asks for nothing by itself. Its objects go along with the next
    upload all the same: snapshots are a chain, and a copy with gaps could not be told from a
    copy that was tampered with.
    """
    if event.upload_to_cloud:
        found = await uploads.request_for_backup(
            context.conn, event.station, event.backup_id, event.snapshot_id
        )
        await start(context, found)


async def mirror_deletion(context: Context, event: BackupDeleted) -> None:
    """Wait no longer for the backup's uploads; remove it where the destination asks for that."""
    await uploads.cancel(context.conn, event.backup_id)
    found = await uploads.request_for_deletion(context.conn, event.backup_id, event.snapshot_id)
    await start(context, found)


async def start(context: Context, waiting: Iterable[Upload]) -> None:
    """Have a worker take each of these uploads in its present round."""
    for upload in waiting:
        await context.send(
            RunUpload(
                upload_id=upload.upload_id,
                destination=upload.destination,
                station=upload.station,
                backup_id=upload.backup_id,
                round=upload.round,
            )
        )
