"""A service of thirty lines, run as a process of its own by the tests."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common.config import ServiceSettings, StationSettings
from common.jobs import Job
from common.messages import CancelBackup, Failure, RunBackup
from common.outbox import Context
from common.service import Runtime, Service, run


class ExampleSettings(ServiceSettings, StationSettings):
    """The settings of the example."""

    pause_seconds: float = 0.0
    crash: bool = False


class Sleeper:
    """A job that takes as long as it is told and leaves one row."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def run(self, job: Job[RunBackup]) -> None:
        await asyncio.sleep(self.seconds)
        async with job.commit() as context:
            await context.conn.execute(
                "INSERT INTO effects VALUES ($1, $2, $3)", job.id, job.fence, os.getpid()
            )

    async def failed(self, context: Context, job: Job[RunBackup], failure: Failure) -> None:
        """Nothing to tell."""

    async def cancelled(self, context: Context, job: Job[RunBackup]) -> None:
        """Nothing to tell."""


async def crash() -> None:
    """What a bug in a background task does."""
    await asyncio.sleep(0.2)
    raise RuntimeError("a bug")


@asynccontextmanager
async def wire(runtime: Runtime[ExampleSettings]) -> AsyncIterator[None]:
    """The whole service at a glance."""
    settings = runtime.settings
    jobs = runtime.jobs(
        queues=[f"backup-worker.commands.{settings.strongroom_station}"],
        handlers={RunBackup: Sleeper(settings.pause_seconds)},
        slots=1,
        lease=settings.strongroom_lease_seconds,
    )

    async def cancel(context: Context, message: CancelBackup) -> None:
        await jobs.cancel(context, message.backup_id)

    runtime.consume("backup-worker.control", {CancelBackup: cancel})
    if settings.crash:
        runtime.spawn("crash", crash())
    yield


SERVICE = Service(
    name="backup-worker",
    settings=ExampleSettings,
    wire=wire,
    migrations=Path(__file__).parent / "example_migrations",
)

if __name__ == "__main__":
    run(SERVICE)
