import time
from typing import Any

from common.jobs import Job
from common.messages import BackupVerified, Failure, VerificationFailed, VerifyBackup
from common.outbox import Context
from restore_worker import sessions, store
from restore_worker.domain import told
from restore_worker.protocol import Checked, VerifySpec
from restore_worker.settings import WorkerSettings


class VerificationJobs:
    """The handler of ``backup.verify``."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    async def run(self, job: Job[VerifyBackup]) -> None:
        """Check the snapshot; findings are a result, not a failure."""
        started, message = time.monotonic(), job.message
        async with job.transaction() as context:
            await store.begin_verification(context.conn, message)
        spec = VerifySpec(
            **sessions.opening(self._settings, message.snapshot_id), read_data=message.read_data
        )
        checked = Checked.model_validate(
            await sessions.work(self._settings, job, "verification", spec)
        )
        event = BackupVerified(
            verification_id=message.verification_id,
            backup_id=message.backup_id,
            ok=not checked.findings,
            objects=checked.objects,
            read_bytes=checked.read_bytes,
            duration_seconds=round(time.monotonic() - started, 3),
            findings=told(checked.findings),
        )
        async with job.commit() as context:
            await store.complete_verification(context.conn, event)
            await context.send(event)
            await self._audit(context, message, "completed", ok=event.ok, objects=event.objects)

    async def failed(self, context: Context, job: Job[VerifyBackup], failure: Failure) -> None:
        """The check itself could not be done."""
        await store.end_verification(context.conn, job.message, "failed", failure)
        await self._tell_failure(context, job.message, failure)
        await self._audit(context, job.message, "failed", code=failure.code)

    async def cancelled(self, context: Context, job: Job[VerifyBackup]) -> None:
        """Stopped on request: it says nothing about the backup."""
        failure = Failure(code="cancelled", message="The verification was cancelled.")
        await store.end_verification(context.conn, job.message, "cancelled")
        await self._tell_failure(context, job.message, failure)
        await self._audit(context, job.message, "cancelled")

    async def _tell_failure(
        self, context: Context, message: VerifyBackup, failure: Failure
    ) -> None:
        await context.send(
            VerificationFailed(
                verification_id=message.verification_id,
                backup_id=message.backup_id,
                failure=failure,
            )
        )

    async def _audit(
        self, context: Context, message: VerifyBackup, status: str, **data: Any
    ) -> None:
        damaged = data.get("ok") is False
        await context.audit(
            "verify",
            event_type=f"verification_{status}",
            entity_type="backup",
            entity_id=message.backup_id,
            success=data.get("ok", False),
            risk_level="high" if damaged else "low",
            data={"verification_id": message.verification_id, "status": status, **data},
        )
