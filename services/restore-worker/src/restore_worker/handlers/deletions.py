from typing import Literal

from common.childprocess.parent import Child
from common.jobs import Job
from common.messages import BackupDeleted, DeleteBackup, DeletionFailed, Failure
from common.outbox import Context
from restore_worker import sessions, store
from restore_worker.protocol import DeleteSpec
from restore_worker.settings import WorkerSettings


class DeletionJobs:
    """The handler of ``backup.delete``."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    async def run(self, job: Job[DeleteBackup]) -> None:
        """Forget the snapshot inside the transaction that only the holder of the job commits.

        To forget what an earlier attempt forgot already is no error.
        """
        message, chain = job.message, f"deletions/{job.message.station}"
        spec = DeleteSpec(
            **sessions.opening(self._settings, message.snapshot_id),
            chain=chain,
            reason=message.reason,
        )
        async with sessions.session(self._settings, job, "deletion", spec) as child:
            await child.receive("ready")
            await self._commit(job, child, chain)

    async def _commit(self, job: Job[DeleteBackup], child: Child, chain: str) -> None:
        message = job.message
        async with job.commit() as context:
            await store.lock_chain(context.conn, chain)
            await child.send("go")
            await child.result()
            await store.end_deletion(context.conn, message, "completed")
            await context.send(
                BackupDeleted(
                    deletion_id=message.deletion_id,
                    backup_id=message.backup_id,
                    snapshot_id=message.snapshot_id,
                    reason=message.reason,
                )
            )
            await self._audit(context, message, "completed")

    async def failed(self, context: Context, job: Job[DeleteBackup], failure: Failure) -> None:
        """The snapshot was not removed."""
        await self._end(context, job.message, "failed", failure)

    async def cancelled(self, context: Context, job: Job[DeleteBackup]) -> None:
        """Stopped on request before it had run."""
        failure = Failure(code="cancelled", message="The deletion was cancelled.")
        await self._end(context, job.message, "cancelled", failure)

    async def _end(
        self,
        context: Context,
        message: DeleteBackup,
        status: Literal["failed", "cancelled"],
        failure: Failure,
    ) -> None:
        await store.end_deletion(context.conn, message, status, failure)
        await context.send(
            DeletionFailed(
                deletion_id=message.deletion_id, backup_id=message.backup_id, failure=failure
            )
        )
        await self._audit(context, message, status)

    async def _audit(self, context: Context, message: DeleteBackup, status: str) -> None:
        await context.audit(
            "delete",
            event_type=f"backup_deletion_{status}",
            entity_type="backup",
            entity_id=message.backup_id,
            success=status == "completed",
            risk_level="medium",
            data={
                "deletion_id": message.deletion_id,
                "snapshot_id": message.snapshot_id,
                "reason": message.reason,
                "status": status,
            },
        )
