"""A station for fault tests: real worker processes, their data, and an ear on the bus."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
from pydantic import SecretStr

from common.bus.amqp import AmqpTransport
from common.bus.transport import Delivery
from common.crypto.keys import (
    WRITER_PREFIX,
    derive_writer_key,
    generate_encryption_key,
    write_key,
)
from common.messages import Actor, Command, Message, RunBackup, seal, uuid7
from common.repository.format.config import RepositoryConfig
from common.repository.opening import create, open_reader
from common.repository.reader import Reader

Url = Callable[[str], str]
M = TypeVar("M", bound=Message)
EVENTS = ("backup.*", "restore.*", "verification.*", "deletion.*", "audit.*")
MIB = 2**20


class Worker:
    """One ``python -m SERVICE.main``, and what a bad day does to it."""

    def __init__(self, module: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"{module}.main"],
                env=environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def children(self) -> list[int]:
        """The processes of its jobs; what has just been forked still has our own arguments."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [
            int(pid)
            for pid in pids.read_text().split()
            if _arguments(int(pid)) not in {"", _arguments(self.process.pid)}
        ]

    async def child(self, within: float = 60.0) -> int:
        """The process of its job, as soon as there is one."""
        deadline = time.monotonic() + within
        while not (found := self.children()):
            assert time.monotonic() < deadline, f"no job was started: {self.words()}"
            await asyncio.sleep(0.02)
        return found[0]

    @contextlib.contextmanager
    def paused(self, pid: int) -> Iterator[None]:
        """The process of its job stands still: the job is in the middle, for certain."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def ended(self, within: float) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.process.wait, within)

    def words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Station:
    """Folders, keys and workers of one station. Made by ``open_station``."""

    def __init__(self, folder: Path, bus: AmqpTransport, amqp_url: str, database: Url) -> None:
        self.name = f"s{uuid4().hex[:8]}"
        self.folder, self.bus, self._database = folder, bus, database
        self.repository, self.source, self.restores = (
            folder / name for name in ("repository", "source", "restores")
        )
        self.key, self._writer_key, self.config = _keys()
        self._reader: Reader | None = None
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "AMQP_URL": amqp_url,
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
            "STRONGROOM_STATION": self.name,
            "STRONGROOM_SLOTS": "1",
            "STRONGROOM_LEASE_SECONDS": "120",  # longer than a busy machine stands still
            "SHUTDOWN_GRACE_SECONDS": "10",
            "BACKUP_LOCAL_DIR": str(self.repository),
            "BACKUP_RESTORE_DIR": str(self.restores),
            "BACKUP_COMPONENTS_FILE": str(folder / "components.toml"),
            "BACKUP_CACHE_DIR": str(folder / "cache"),
            "BACKUP_MIN_FREE_MB": "0",
        }
        self.heard: list[Message] = []
        self.workers: list[Worker] = []
        self._news = asyncio.Condition()
        self.configure(f'[components.files]\nkind = "files"\npaths = ["{self.source}"]\n')

    def configure(self, components: str) -> None:
        """Write the station's components.toml."""
        (self.folder / "components.toml").write_text(components)

    def begin_repository(self) -> None:
        """Place the ``config``, so that no keyring is needed."""
        create(self.repository, self.config)

    def writer(self, **settings: str) -> Worker:
        """Another backup-worker; ``settings`` win over the station's."""
        return self._start("backup_worker", {"BACKUP_WRITER_KEY": self._writer_key, **settings})

    def reader(self, **settings: str) -> Worker:
        """Another restore-worker."""
        return self._start("restore_worker", {"BACKUP_ENCRYPTION_KEY": self.key, **settings})

    def _start(self, module: str, settings: dict[str, str]) -> Worker:
        environment = {**self.environment, "DATABASE_URL": self._database(module), **settings}
        worker = Worker(module, environment, self.folder / f"{module}-{len(self.workers)}.log")
        self.workers.append(worker)
        return worker

    def backup(self, **fields: Any) -> RunBackup:
        """A command for this station."""
        backup_id = str(uuid7())
        return RunBackup(
            **{"backup_id": backup_id, "backup_name": "daily", "station": self.name, **fields}
        )

    async def send(self, command: Command, *, times: int = 1) -> None:
        """Publish the very same message once or several times."""
        await self.bus.declare(command.address())
        envelope = seal(command, source="test", actor=Actor(user="tester", station=self.name))
        for _ in range(times):
            await self.bus.publish(envelope, queue=command.address())

    async def hear(self, delivery: Delivery) -> None:
        """Remember an event, but no other test's: a killed worker's outbox tells it once more."""
        if delivery.envelope.actor.station in {"", self.name}:
            async with self._news:
                self.heard.append(delivery.envelope.data)
                self._news.notify_all()
        await delivery.ack()

    def events(self, cls: type[M], **fields: Any) -> list[M]:
        """What was heard of a type, with these values."""
        return [
            event
            for event in self.heard
            if isinstance(event, cls) and all(getattr(event, k) == v for k, v in fields.items())
        ]

    async def event(self, cls: type[M], within: float, *, count: int = 1, **fields: Any) -> M:
        """The ``count``-th such event, as soon as it is heard."""
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: len(self.events(cls, **fields)) >= count)
        except TimeoutError:
            words = "\n".join(worker.words() for worker in self.workers)
            raise AssertionError(f"no {cls.__name__} {fields}: {self.heard}\n{words}") from None
        return self.events(cls, **fields)[count - 1]

    @asynccontextmanager
    async def connection(self, role: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """A service's own database, as that service."""
        connection = await asyncpg.connect(self._database(role))
        try:
            yield connection
        finally:
            await connection.close()

    async def rows(self, role: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a service has written down."""
        async with self.connection(role) as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]

    def open(self) -> Reader:
        """The repository as it is now, with the encryption key."""
        if self._reader is None:
            self._reader = open_reader(self.repository, self.key)
        self._reader.reload()
        return self._reader

    def litter(self) -> list[str]:
        """Unfinished objects, and packs that no index lists."""
        session = self.open()._session
        listed = {entry.pack_id for segment in session.segments() for entry in segment.entries}
        unfinished = [str(path) for path in (self.repository / "tmp").glob("*")]
        return unfinished + [pack.hex() for pack in session.present() - listed]


@cache
def _keys() -> tuple[str, str, bytes]:
    """An encryption key, its writer key, and a config: slow to make, so all stations share them."""
    key = generate_encryption_key()
    writer = derive_writer_key(key)
    return key, write_key(WRITER_PREFIX, writer), RepositoryConfig.create(key, writer)


@asynccontextmanager
async def open_station(amqp_url: str, database: Url) -> AsyncIterator[Station]:
    """A station of its own name; its workers and its data end with it."""
    bus = AmqpTransport(SecretStr(amqp_url), name="test")
    await bus.start()
    with tempfile.TemporaryDirectory(prefix="strongroom-station-") as folder:
        station = Station(Path(folder), bus, amqp_url, database)
        queue = f"test-{station.name}.events"
        await bus.declare(queue, EVENTS)
        ear = await bus.consume(queue, station.hear)
        try:
            yield station
        finally:
            for worker in station.workers:
                worker.end()
            await ear.stop(1.0)
            await bus.close()


def fill(folder: Path, mebibytes: int, seed: int = 1) -> None:
    """Files of 64 MiB that do not compress and hold no chunk twice; the same for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = random.Random(seed)
    for number in range(0, mebibytes, 64):
        with (folder / f"block-{number:05}").open("wb") as file:
            for _ in range(min(64, mebibytes - number)):
                file.write(noise.randbytes(MIB))
