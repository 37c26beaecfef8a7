"""Starts the process that holds the encryption key and opens the repository."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from common.childprocess.parent import Child, Limits, spawn
from common.childprocess.progress import Progress
from common.jobs import Job
from restore_worker.protocol import Opening
from restore_worker.settings import WorkerSettings


def opening(settings: WorkerSettings, snapshot_id: str) -> dict[str, Any]:
    """The fields of an ``Opening``."""
    return {
        "repository": settings.backup_local_dir.absolute(),
        "encryption_key": settings.encryption_key(),
        "snapshot_id": snapshot_id,
    }


@asynccontextmanager
async def session(
    settings: WorkerSettings, job: Job[Any], kind: str, spec: Opening
) -> AsyncIterator[Child]:
    """A process at work on ``spec``, telling the job's progress on the way.

    It has ended when the block has; see ``spawn`` for what is raised. It ends itself before a lease
    that we let run out can be taken over.
    """
    limits = Limits(leash=settings.strongroom_lease_seconds / 2, niceness=settings.restore_niceness)
    progress = Progress(job.id, kind, job.progress)
    async with spawn(
        "restore_worker.session", dict(spec), limits=limits, on_progress=progress
    ) as child:
        yield child


async def work(settings: WorkerSettings, job: Job[Any], kind: str, spec: Opening) -> dict[str, Any]:
    """Run one session to its result."""
    async with session(settings, job, kind, spec) as child:
        return await child.result()
