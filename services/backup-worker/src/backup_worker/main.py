"""backup-worker: the writer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from backup_worker.folder import not_ready
from backup_worker.handlers import BackupJobs
from backup_worker.settings import WorkerSettings
from common.messages import CancelBackup, RunBackup
from common.outbox import Context
from common.service import Runtime, Service, run


@asynccontextmanager
async def wire(runtime: Runtime[WorkerSettings]) -> AsyncIterator[None]:
    """Jobs from the station's queue, cancels from the control queue, readiness of the folder."""
    settings = runtime.settings
    settings.writer_key()  # without it, rather no service than one whose every backup fails
    jobs = runtime.jobs(
        queues=[f"{RunBackup.queue}.{settings.strongroom_station}"],
        handlers={RunBackup: BackupJobs(settings, runtime.ask)},
        slots=settings.strongroom_slots,
        lease=settings.strongroom_lease_seconds,
    )

    async def cancel(context: Context, message: CancelBackup) -> None:
        await jobs.cancel(context, message.backup_id)

    async def ready() -> str | None:
        return await asyncio.to_thread(
            not_ready,
            settings.backup_local_dir,
            settings.backup_components_file,
            settings.backup_min_free_mb,
        )

    runtime.consume(CancelBackup.queue, {CancelBackup: cancel})
    runtime.health.add_check("repository", ready)
    yield


SERVICE = Service(
    name="backup-worker",
    settings=WorkerSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
