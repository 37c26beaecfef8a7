"""The second phase of a backup: the snapshot and its record, together or not at all."""

import asyncio
import time

import structlog

from backup_worker import store
from backup_worker.domain import Head, Place, next_place
from backup_worker.protocol import CaptureSpec, Prepared, Written
from common.childprocess.parent import Child
from common.db import is_transient
from common.jobs import Job
from common.messages import BackupCompleted, RunBackup
from common.outbox import Context

_ATTEMPTS = 20

log = structlog.stdlib.get_logger(__name__)


class Commit:
    """One backup on its way into the repository's list and the service's tables."""

    def __init__(
        self,
        job: Job[RunBackup],
        child: Child,
        prepared: Prepared,
        spec: CaptureSpec,
        started: float,
    ) -> None:
        self._job, self._child, self._prepared, self._spec = job, child, prepared, spec
        self._started = started
        self._written: Written | None = prepared.adopted
        self._warning = ""

    async def carry_out(self) -> None:
        """Commit, and again when the database was away for a moment: the work is done already.

        A snapshot that was written before the connection broke is not written a second time.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._job.commit() as context:
                    await self._in_transaction(context)
            except Exception as error:
                if attempt == _ATTEMPTS or not is_transient(error):
                    raise
                log.info("commit.again", attempt=attempt, error=type(error).__name__)
                await asyncio.sleep(min(0.1 * 2**attempt, 2.0))
            else:
                return

    async def _in_transaction(self, context: Context) -> None:
        """Everything here happens while this worker alone holds the job and the chain."""
        known = await store.lock_chain(context.conn, self._spec.chain)
        if self._written is None:
            place = await self._next_place(known)
            self._warning = place.warning
            self._written = await self._write(place)
        written = self._written
        head = Head(written.counter, written.snapshot_id)
        await store.move_head(context.conn, self._spec.chain, head)
        runs = (self._spec.run_id, *self._prepared.clean_runs)
        await store.close_runs(context.conn, runs)
        event = self._completed(written)
        await store.complete_backup(context.conn, event)
        await context.send(event)
        await self._audit(context, event, known)

    async def _next_place(self, known: Head) -> Place:
        await self._child.send("head")
        answer = await self._child.receive("head")
        return next_place(known, Head(int(answer["counter"]), answer["snapshot_id"]))

    async def _write(self, place: Place) -> Written:
        await self._child.send("commit", counter=place.counter, previous=place.previous)
        return Written.model_validate(await self._child.receive("written"))

    def _completed(self, written: Written) -> BackupCompleted:
        message = self._job.message
        warnings = (self._warning, *written.warnings) if self._warning else written.warnings
        return BackupCompleted(
            backup_id=message.backup_id,
            backup_name=message.backup_name,
            station=message.station,
            plan=message.plan,
            backup_type=message.backup_type,
            snapshot_id=written.snapshot_id,
            chain=written.chain,
            counter=written.counter,
            components=written.components,
            entries=written.entries,
            size_bytes=written.size_bytes,
            added_bytes=written.added_bytes,
            stored_bytes=written.stored_bytes,
            duration_seconds=round(time.monotonic() - self._started, 3),
            encrypted=written.encrypted,
            upload_to_cloud=message.upload_to_cloud,
            warnings=warnings,
        )

    async def _audit(self, context: Context, event: BackupCompleted, known: Head) -> None:
        """The head of the chain goes into the audit log: a removed snapshot shows against it."""
        await context.audit(
            "create",
            event_type="backup_completed",
            entity_type="backup",
            entity_id=event.backup_id,
            data={
                "backup_type": event.backup_type,
                "size_bytes": event.size_bytes,
                "status": "completed",
                "chain": event.chain,
                "counter": event.counter,
                "snapshot_id": event.snapshot_id,
            },
        )
        if self._warning:
            await context.audit(
                "check",
                event_type="backup_chain_broken",
                entity_type="chain",
                entity_id=event.chain,
                success=False,
                risk_level="critical",
                data={
                    "missing_snapshot_id": known.snapshot_id,
                    "missing_counter": known.counter,
                    "noticed_by": event.backup_id,
                },
            )
