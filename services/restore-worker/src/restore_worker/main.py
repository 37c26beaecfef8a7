"""restore-worker: the reader, all that must open content."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common.messages import CancelRestore, DeleteBackup, RunRestore, VerifyBackup
from common.outbox import Context
from common.service import Runtime, Service, run
from restore_worker.handlers.deletions import DeletionJobs
from restore_worker.handlers.restores import RestoreJobs
from restore_worker.handlers.verifications import VerificationJobs
from restore_worker.readiness import not_ready
from restore_worker.settings import WorkerSettings


@asynccontextmanager
async def wire(runtime: Runtime[WorkerSettings]) -> AsyncIterator[None]:
    """Jobs from the station's queue, cancels from the control queue, readiness of the folders."""
    settings = runtime.settings
    settings.encryption_key()  # without it, rather no service than one whose every job fails
    jobs = runtime.jobs(
        queues=[f"{RunRestore.queue}.{settings.strongroom_station}"],
        handlers={
            RunRestore: RestoreJobs(settings),
            VerifyBackup: VerificationJobs(settings),
            DeleteBackup: DeletionJobs(settings),
        },
        slots=settings.strongroom_slots,
        lease=settings.strongroom_lease_seconds,
    )

    async def cancel(context: Context, message: CancelRestore) -> None:
        await jobs.cancel(context, message.operation_id)

    async def ready() -> str | None:
        return await asyncio.to_thread(not_ready, settings.backup_restore_dir)

    runtime.consume(CancelRestore.queue, {CancelRestore: cancel})
    runtime.health.add_check("restore_folder", ready)
    yield


SERVICE = Service(
    name="restore-worker",
    settings=WorkerSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
