import asyncio
import time
from pathlib import Path
from typing import Any

from common.errors import Error, Invalid
from common.jobs import Job
from common.messages import (
    ComponentResult,
    Failure,
    RestoreCancelled,
    RestoreCompleted,
    RestoreFailed,
    RestoreStarted,
    RunRestore,
)
from common.outbox import Context
from restore_worker import sessions, store
from restore_worker.domain import check_name
from restore_worker.protocol import Restored, RestoreSpec
from restore_worker.settings import WorkerSettings
from restore_worker.targets import Targets


class RestoreJobs:
    """The handler of ``restore.run``."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._targets = Targets(settings.backup_restore_dir.absolute())

    async def run(self, job: Job[RunRestore]) -> None:
        """Restore aside, put in place, record: what was put in place before a crash is adopted."""
        started = time.monotonic()
        target = self._target(job.message)
        done = await self._begin(job)
        if job.message.in_place:
            restored = await self._restore(job, None)
            await self._complete(job, "in place", restored, started)
            return
        found = await asyncio.to_thread(self._targets.placed, target, job.id)
        if found is None:
            await asyncio.to_thread(self._targets.check_free, target)
            folder = await asyncio.to_thread(self._targets.begin, job.id, job.fence)
            restored = await self._restore(job, folder, done)
            if await asyncio.to_thread(self._targets.is_empty, folder):
                await self._complete(job, "", restored, started)
            else:
                await self._complete(job, target, restored, started, folder)
        else:
            await self._complete(job, target, Restored.model_validate(found), started)
        await asyncio.to_thread(self._targets.discard, job.id)

    async def failed(self, context: Context, job: Job[RunRestore], failure: Failure) -> None:
        """What had been restored is kept aside and named."""
        message = job.message
        kept = await self._keep_partial(job)
        done = await store.noted_components(context.conn, message.restore_id)
        text = failure.message + (f" What could be restored is in {kept}." if kept else "")
        if done:
            names = ", ".join(result.name for result in done)
            text += f" Restored into their databases are: {names}."
        failure = failure.model_copy(update={"message": text})
        await store.end_restore(context.conn, message, "failed", failure)
        await context.send(
            RestoreFailed(
                restore_id=message.restore_id, backup_id=message.backup_id, failure=failure
            )
        )
        await self._audit_end(context, message, "failed", code=failure.code, reason=failure.message)

    async def cancelled(self, context: Context, job: Job[RunRestore]) -> None:
        """Stopped on request; what was restored until then is removed."""
        message = job.message
        if _is_name(message.restore_id):
            await asyncio.to_thread(self._targets.discard, message.restore_id)
        await store.end_restore(context.conn, message, "cancelled")
        await context.send(
            RestoreCancelled(restore_id=message.restore_id, backup_id=message.backup_id)
        )
        await self._audit_end(context, message, "cancelled")

    def _target(self, message: RunRestore) -> str:
        check_name(message.restore_id, "a restore id")
        if message.in_place and (message.target or message.databases):
            raise Invalid("A restore goes in place or somewhere else, not both.")
        return check_name(message.target or message.restore_id, "a target")

    async def _begin(self, job: Job[RunRestore]) -> tuple[ComponentResult, ...]:
        """Say that it runs, audit that it was asked for, and clear away what others left.

        Returns what earlier attempts have put into databases.
        """
        message = job.message
        async with job.transaction() as context:
            new = await store.begin_restore(context.conn, message)
            done = await store.noted_components(context.conn, message.restore_id)
            begun = await asyncio.to_thread(self._targets.begun)
            ended = await store.ended_restores(context.conn, begun)
            await context.send(
                RestoreStarted(
                    restore_id=message.restore_id,
                    backup_id=message.backup_id,
                    worker=job.worker,
                    attempt=job.attempt,
                )
            )
            if new:
                await context.audit(
                    "restore",
                    event_type="restore_started",
                    entity_type="backup",
                    entity_id=message.backup_id,
                    risk_level="high" if message.in_place else "medium",
                    data={"restore_id": message.restore_id, "options": store.options(message)},
                )
        for restore_id in ended:
            await asyncio.to_thread(self._targets.discard, restore_id)
        return done

    async def _restore(
        self, job: Job[RunRestore], folder: Path | None, done: tuple[ComponentResult, ...] = ()
    ) -> Restored:
        message, settings = job.message, self._settings
        spec = RestoreSpec(
            **sessions.opening(settings, message.snapshot_id),
            restore_id=message.restore_id,
            components_file=settings.backup_components_file.absolute(),
            components=message.components,
            paths=message.paths,
            directory=folder,
            databases=message.databases,
            in_place=message.in_place,
            done=done,
        )
        async with sessions.session(settings, job, "restore", spec) as child:
            while (told := await child.receive("component", "result"))["kind"] == "component":
                result = ComponentResult.model_validate(told["result"])
                async with job.transaction() as context:
                    await store.note_component(context.conn, job.id, result)
            return Restored.model_validate(told)

    async def _complete(
        self,
        job: Job[RunRestore],
        target: str,
        restored: Restored,
        started: float,
        folder: Path | None = None,
    ) -> None:
        """Put ``folder`` in its place and record it; only the holder of the job gets so far."""
        message = job.message
        event = RestoreCompleted(
            restore_id=message.restore_id,
            backup_id=message.backup_id,
            target=target,
            duration_seconds=round(time.monotonic() - started, 3),
            **dict(restored),
        )
        async with job.commit() as context:
            if folder is not None:
                await asyncio.to_thread(
                    self._targets.place, folder, target, job.id, restored.model_dump(mode="json")
                )
            await store.complete_restore(context.conn, event)
            await context.send(event)
            await self._audit_end(
                context, message, "completed", target=target, files_restored=event.entries
            )

    async def _keep_partial(self, job: Job[RunRestore]) -> Path | None:
        """Where the files are that came back before the failure, if there are any."""
        message = job.message
        if message.in_place or not _is_name(message.restore_id):
            return None
        target = message.target or message.restore_id
        if not _is_name(target):
            return None
        return await asyncio.to_thread(self._targets.keep_partial, target, job.id)

    async def _audit_end(
        self, context: Context, message: RunRestore, status: str, **data: Any
    ) -> None:
        await context.audit(
            "restore",
            event_type=f"restore_{status}",
            entity_type="backup",
            entity_id=message.backup_id,
            success=status == "completed",
            risk_level="medium",
            data={"restore_id": message.restore_id, "status": status, **data},
        )


def _is_name(text: str) -> bool:
    try:
        check_name(text, "a name")
    except Error:
        return False
    return True
