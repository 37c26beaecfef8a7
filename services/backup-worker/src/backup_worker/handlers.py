"""Runs backups: one job, one process that captures, one transaction that commits."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID

from backup_worker import store
from backup_worker.commit import Commit
from backup_worker.domain import chain_of, choose, is_incremental
from backup_worker.folder import Ask, missing_config
from backup_worker.protocol import CaptureSpec, Prepared
from backup_worker.settings import WorkerSettings
from common.childprocess.parent import Limits, spawn
from common.childprocess.progress import Progress
from common.components.configured import load
from common.jobs import Job
from common.messages import BackupCancelled, BackupFailed, BackupStarted, Failure, RunBackup, uuid7
from common.outbox import Context


class BackupJobs:
    """The handler of ``backup.run``."""

    def __init__(self, settings: WorkerSettings, ask: Ask) -> None:
        self._settings, self._ask = settings, ask

    async def run(self, job: Job[RunBackup]) -> None:
        """Capture, prepare, commit: see ``protocol``."""
        started = time.monotonic()
        components = await asyncio.to_thread(load, self._settings.backup_components_file)
        names = choose(job.message, {name: each.kind for name, each in components.items()})
        config = await missing_config(self._settings.backup_local_dir, self._ask)
        spec = await self._begin(job, names, config)
        async with spawn(
            "backup_worker.capture",
            dict(spec),
            limits=self._limits(),
            on_progress=Progress(job.id, "backup", job.progress),
        ) as child:
            prepared = Prepared.model_validate(await child.receive("prepared"))
            await Commit(job, child, prepared, spec, started).carry_out()

    async def failed(self, context: Context, job: Job[RunBackup], failure: Failure) -> None:
        """The backup is not listed as restorable; its owner hears why."""
        message = job.message
        await store.fail_backup(context.conn, message, chain_of(message), failure)
        await context.send(
            BackupFailed(
                backup_id=message.backup_id,
                backup_name=message.backup_name,
                station=message.station,
                failure=failure,
            )
        )
        await self._audit(context, message, "failed", code=failure.code, reason=failure.message)

    async def cancelled(self, context: Context, job: Job[RunBackup]) -> None:
        """Stopped on request: nothing of it is listed."""
        message = job.message
        await store.cancel_backup(context.conn, message, chain_of(message))
        await context.send(
            BackupCancelled(
                backup_id=message.backup_id,
                backup_name=message.backup_name,
                station=message.station,
            )
        )
        await self._audit(context, message, "cancelled")

    async def _begin(
        self, job: Job[RunBackup], names: list[str], config: str | None
    ) -> CaptureSpec:
        """Record the attempt, and under which run id it writes, before it writes anything."""
        message, run_id = job.message, uuid7()
        async with job.transaction() as context:
            expected = await store.last_amount(context.conn, chain_of(message), message.backup_type)
            await store.begin_backup(context.conn, message, chain_of(message))
            earlier = await store.earlier_runs(context.conn, message.backup_id)
            dead = await store.dead_runs(context.conn, message.station)
            await store.begin_run(context.conn, run_id, message.backup_id, job.worker, job.attempt)
            await context.send(
                BackupStarted(
                    backup_id=message.backup_id,
                    backup_name=message.backup_name,
                    station=message.station,
                    worker=job.worker,
                    attempt=job.attempt,
                )
            )
        spec = self._spec(message, names, config, run_id)
        found = {"earlier_runs": earlier, "dead_runs": dead, "expected": expected}
        return spec.model_copy(update=found)

    def _spec(
        self, message: RunBackup, names: list[str], config: str | None, run_id: UUID
    ) -> CaptureSpec:
        settings = self._settings
        return CaptureSpec(
            repository=settings.backup_local_dir.absolute(),
            config=config,
            writer_key=settings.writer_key(),
            components_file=settings.backup_components_file.absolute(),
            components=tuple(names),
            run_id=run_id,
            cache=settings.backup_cache_dir.absolute(),
            reread=not is_incremental(message),
            processes=settings.backup_processes,
            compression_type=settings.backup_compression_type,
            compression_level=settings.backup_compression_level,
            backup_id=message.backup_id,
            backup_name=message.backup_name,
            station=message.station,
            plan=message.plan,
            chain=chain_of(message),
            backup_type=message.backup_type,
            created=datetime.now(UTC),
        )

    def _limits(self) -> Limits:
        """The child ends itself before a lease that we let run out can be taken over."""
        return Limits(
            leash=self._settings.strongroom_lease_seconds / 2,
            niceness=self._settings.backup_niceness,
        )

    async def _audit(self, context: Context, message: RunBackup, status: str, **data: str) -> None:
        await context.audit(
            "create",
            event_type=f"backup_{status}",
            entity_type="backup",
            entity_id=message.backup_id,
            success=False,
            data={"backup_type": message.backup_type, "status": status, **data},
        )
