"""Workers in miniature, for tests of jobs: one service, its database, a bus in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from pydantic import SecretStr

from common.bus.memory import Broker, MemoryTransport
from common.config import ServiceSettings
from common.errors import Unavailable
from common.jobs import Job, Jobs
from common.messages import (
    BackupCancelled,
    BackupFailed,
    BackupStarted,
    CancelBackup,
    Envelope,
    Failure,
    RunBackup,
    seal,
    uuid7,
)
from common.outbox import Context
from common.service import Runtime, Service, hosted

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f"),
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)

QUEUE = "backup-worker.commands.main"
CONTROL = "backup-worker.control"
EFFECTS = "CREATE TABLE IF NOT EXISTS effects (job text, fence bigint, attempt int)"


class Recorder:
    """Works until it is let go, writes one effect, and remembers what happened to it."""

    def __init__(self, *, waits: bool = True) -> None:
        self.go = asyncio.Event()
        if not waits:
            self.go.set()
        self.started: asyncio.Queue[Job[RunBackup]] = asyncio.Queue()
        self.errors: list[Exception] = []
        self.log: list[tuple[str, str]] = []

    async def run(self, job: Job[RunBackup]) -> None:
        self.log.append(("run", job.id))
        self.started.put_nowait(job)
        try:
            if self.errors:
                raise self.errors.pop(0)
            await self.go.wait()
            async with job.commit() as context:
                await record_effect(context, job)
        except asyncio.CancelledError:
            self.log.append(("stopped", job.id))
            raise

    async def failed(self, context: Context, job: Job[RunBackup], failure: Failure) -> None:
        self.log.append(("failed", failure.code))
        command = job.message
        await context.send(
            BackupFailed(
                backup_id=job.id,
                backup_name=command.backup_name,
                station=command.station,
                failure=failure,
            )
        )

    async def cancelled(self, context: Context, job: Job[RunBackup]) -> None:
        self.log.append(("cancelled", job.id))
        command = job.message
        await context.send(
            BackupCancelled(
                backup_id=job.id, backup_name=command.backup_name, station=command.station
            )
        )

    async def next(self) -> Job[RunBackup]:
        """The next job that was started."""
        return await asyncio.wait_for(self.started.get(), 60)


async def record_effect(context: Context, job: Job[RunBackup]) -> None:
    """What the job is for: must be there exactly once in the end."""
    await context.conn.execute(
        "INSERT INTO effects VALUES ($1, $2, $3)", job.id, job.fence, job.attempt
    )
    await context.send(
        BackupStarted(
            backup_id=job.id,
            backup_name=job.message.backup_name,
            station=job.message.station,
            worker=job.worker,
        )
    )


class Bus(MemoryTransport):
    """The bus in memory, which a test can cut off; it keeps what was published."""

    def __init__(self, broker: Broker, name: str = "backup-worker") -> None:
        super().__init__(broker, name=name)
        self.down = False
        self.published: list[Envelope] = []

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
        if self.down:
            raise Unavailable("The bus is cut off.")
        await super().publish(envelope, queue=queue)
        self.published.append(envelope)


@dataclass
class Works:
    """A database and a bus; workers are hosted on demand."""

    url: SecretStr
    migrations: Path
    broker: Broker = field(default_factory=Broker)
    bus: Bus = field(init=False)
    jobs: list[Jobs] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus = Bus(self.broker)

    @asynccontextmanager
    async def worker(
        self,
        handler: Any,
        *,
        slots: int = 1,
        lease: float = 3600.0,
        grace: float = 0.5,
        also: Callable[[Runtime[ServiceSettings]], None] | None = None,
    ) -> AsyncIterator[Runtime[ServiceSettings]]:
        """One worker process, as it were."""
        settings = ServiceSettings(database_url=self.url, shutdown_grace_seconds=grace)

        @asynccontextmanager
        async def wire(runtime: Runtime[ServiceSettings]) -> AsyncIterator[None]:
            await runtime.pool.execute(EFFECTS)
            jobs = runtime.jobs(
                queues=[QUEUE], handlers={RunBackup: handler}, slots=slots, lease=lease
            )

            async def cancel(context: Context, message: CancelBackup) -> None:
                await jobs.cancel(context, message.backup_id)

            runtime.consume(CONTROL, {CancelBackup: cancel})
            if also is not None:
                also(runtime)
            self.jobs.append(jobs)
            yield

        service = Service("backup-worker", ServiceSettings, wire, self.migrations)
        async with hosted(service, settings, transport=self.bus) as runtime:
            yield runtime

    async def send(self, backup_id: str = "", *, copies: int = 1) -> str:
        """Put a command for one backup on the bus, ``copies`` times."""
        backup_id = backup_id or str(uuid7())
        command = RunBackup(backup_id=backup_id, backup_name="nightly")
        await self.bus.declare(QUEUE)
        envelope = seal(command, source="gateway", subject=backup_id)
        for _ in range(copies):
            await self.bus.publish(envelope, queue=QUEUE)
        return backup_id

    async def cancel(self, backup_id: str) -> None:
        """Ask over the bus for a backup to stop."""
        envelope = seal(CancelBackup(backup_id=backup_id), source="gateway")
        await self.bus.declare(CONTROL)
        await self.bus.publish(envelope, queue=CONTROL)

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Look into the database past every pool."""
        connection = await asyncpg.connect(self.url.get_secret_value())
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    async def state(self, backup_id: str) -> str:
        """The state of a job."""
        rows = await self.fetch("SELECT state FROM jobs WHERE id = $1", backup_id)
        return str(rows[0]["state"]) if rows else ""

    async def effects(self, backup_id: str) -> int:
        """How often the job had its effect."""
        rows = await self.fetch("SELECT count(*) FROM effects WHERE job = $1", backup_id)
        return int(rows[0]["count"])

    def told(self, type_: str, backup_id: str) -> int:
        """How often an event of this type was published for the job."""
        return sum(e.type == type_ and e.subject == backup_id for e in self.bus.published)


async def until(condition: Callable[[], Any], limit: float = 60.0) -> None:
    """Wait for a condition, synchronous or not; fails with it when it does not come true."""
    async with asyncio.timeout(limit):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return
            await asyncio.sleep(0.02)
