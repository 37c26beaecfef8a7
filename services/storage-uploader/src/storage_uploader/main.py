"""storage-uploader: copies the repository to every destination and proves that it is there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from common.messages import BackupCompleted, BackupDeleted, Message, RunUpload
from common.service import Runtime, Service, run
from common.storage.open import open_store
from storage_uploader.destination import Place
from storage_uploader.domain import place_of
from storage_uploader.handlers import mirror_deletion, request_uploads
from storage_uploader.schedule import keep_schedule
from storage_uploader.settings import Destination, UploaderSettings
from storage_uploader.store import destinations
from storage_uploader.uploading import UploadJobs


@asynccontextmanager
async def wire(runtime: Runtime[UploaderSettings]) -> AsyncIterator[None]:
    """Events become uploads, uploads become jobs, each destination with slots of its own."""
    settings = runtime.settings
    station = settings.strongroom_station
    async with AsyncExitStack() as stack:
        places = {each.name: _open(each) for each in settings.strongroom_destinations}
        for place in places.values():
            stack.push_async_callback(place.store.close)
        await _register(runtime)
        jobs = UploadJobs(settings, places)
        for name in places:
            runtime.jobs(
                queues=[f"{RunUpload.queue}.{station}.{name}"],
                handlers={RunUpload: jobs},
                slots=settings.strongroom_slots,
                lease=settings.strongroom_lease_seconds,
                id_of=_job_id,
            )

        async def troubles() -> str | None:
            async with runtime.transaction() as context:
                found = await destinations.troubles(context.conn, station)
            return " ".join(f"{name}: {message}" for name, message in found.items()) or None

        runtime.consume(
            "storage-uploader.events",
            {BackupCompleted: request_uploads, BackupDeleted: mirror_deletion},
            events=[BackupCompleted.type, BackupDeleted.type],
        )
        runtime.health.add_warning("destinations", troubles)
        runtime.spawn("schedule", keep_schedule(runtime))
        yield


def _open(destination: Destination) -> Place:
    url = destination.url.get_secret_value()
    return Place(destination.name, open_store(url, bytes_per_second=destination.bytes_per_second))


async def _register(runtime: Runtime[UploaderSettings]) -> None:
    settings = runtime.settings
    station, configured = settings.strongroom_station, settings.strongroom_destinations
    async with runtime.transaction() as context:
        for each in configured:
            await destinations.register(
                context.conn,
                station,
                each.name,
                place_of(each.url.get_secret_value()),
                mirror_deletions=each.mirror_deletions,
            )
        await destinations.retire_others(context.conn, station, [each.name for each in configured])


def _job_id(message: Message) -> str:
    """Each round of an upload is a job of its own."""
    if not isinstance(message, RunUpload):
        raise TypeError(f"{message.type} is no upload")
    return f"{message.upload_id}.{message.round}"


SERVICE = Service(
    name="storage-uploader",
    settings=UploaderSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
