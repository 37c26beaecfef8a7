"""A service as a process: its start, its signals, its death."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from common.bus.postgres import PostgresTransport
from common.messages import RunBackup, seal, uuid7
from integration.ports import free_port
from integration.workers import until

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).with_name("example_service.py")
QUEUE = "backup-worker.commands.main"


class Example:
    """The example service as a process."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    async def ready(self) -> bool:
        return await self.status() == 200

    async def status(self) -> int:
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{self.url}/readyz")).status_code
            except httpx.TransportError:
                return 0

    async def logs(self, words: str) -> None:
        """Wait until it logs them; what it logged before is not given later."""
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while words not in (line := (await self.process.stderr.readline()).decode()):
                assert line, f"it ended without {words}"

    async def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; the exit code and what was logged."""
        self.process.send_signal(number)
        return await self.wait()

    async def wait(self) -> tuple[int, str]:
        async with asyncio.timeout(60):
            _, log = await self.process.communicate()
        return self.process.returncode or 0, log.decode()


class Stage:
    """Starts examples on one database and ends what is left of them."""

    def __init__(self, database_url: Callable[[str], str]) -> None:
        self.url = database_url("backup_worker")
        self.bus_url = database_url("bus")
        self.examples: list[Example] = []

    async def start(self, **settings: str) -> Example:
        port = free_port()
        defaults = {
            "DATABASE_URL": self.url,
            "STRONGROOM_BUS_URL": self.bus_url,
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(port),
            "SHUTDOWN_GRACE_SECONDS": "2",
            "STRONGROOM_LEASE_SECONDS": "3600",
        }
        environment = {**os.environ, **defaults, **settings}
        environment = {name: value for name, value in environment.items() if value}
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), env=environment, stderr=PIPE
        )
        self.examples.append(Example(process, port))
        return self.examples[-1]

    async def ready(self, **settings: str) -> Example:
        example = await self.start(**settings)
        await until(example.ready)
        return example

    async def send(self) -> str:
        """Ask for a backup over the bus."""
        transport = PostgresTransport(SecretStr(self.bus_url), name="gateway")
        await transport.start()
        id_ = str(uuid7())
        command = RunBackup(backup_id=id_, backup_name="nightly")
        await transport.publish(seal(command, source="gateway"), queue=QUEUE)
        await transport.close()
        return id_

    async def fetch(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    async def clean(self) -> None:
        for example in self.examples:
            if example.process.returncode is None:
                await example.end(signal.SIGKILL)


@pytest.fixture
async def stage(database_url: Callable[[str], str]) -> AsyncIterator[Stage]:
    stage = Stage(database_url)
    yield stage
    await stage.clean()


async def test_a_service_starts_and_ends_in_order(stage: Stage) -> None:
    """An orchestrator relies on readiness, on the exit code and on readable logs."""
    example = await stage.ready()
    code, log = await example.end(signal.SIGTERM)
    assert code == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"service started", "service stops", "service ended"} <= {x["event"] for x in lines}
    assert all(line["service"] == "backup-worker" for line in lines)


async def test_a_missing_setting_ends_with_a_sentence(stage: Stage) -> None:
    """The first thing that an operator gets wrong."""
    code, log = await (await stage.start(DATABASE_URL="")).wait()
    assert code == 2
    assert "DATABASE_URL is not set: the service's database" in log
    assert "Traceback" not in log


async def test_no_bus_ends_with_a_sentence(stage: Stage) -> None:
    """The second thing."""
    code, log = await (await stage.start(STRONGROOM_BUS_URL="", AMQP_URL="")).wait()
    assert code == 2
    assert "AMQP_URL is not set" in log
    assert "Traceback" not in log


async def test_a_used_health_port_ends_with_a_sentence(stage: Stage) -> None:
    """Six services on one machine: two of them easily get the same port."""
    first = await stage.ready()
    port = first.url.rsplit(":", 1)[1]
    code, log = await (await stage.start(HEALTH_PORT=port)).wait()
    assert code == 10
    assert f"Port {port} on 127.0.0.1 cannot be used" in log
    assert "Traceback" not in log


async def test_waiting_for_a_database_says_so_and_can_be_stopped(stage: Stage) -> None:
    """A service that waits must be neither ready nor deaf."""
    away = f"postgresql://someone:hunter2@127.0.0.1:{free_port()}/x"
    example = await stage.start(DATABASE_URL=away)
    await until(example.status)
    assert await example.status() == 503
    code, log = await example.end(signal.SIGTERM)
    assert code == 0
    assert "waiting for the database" in log
    assert "hunter2" not in log


async def test_a_bug_in_the_background_stops_the_service(stage: Stage) -> None:
    """A service that is half dead must be started anew, not go on looking healthy."""
    code, log = await (await stage.start(CRASH="true")).wait()
    assert code == 3
    assert "a bug" in log


async def test_a_killed_worker_is_replaced(stage: Stage) -> None:
    """The machine of a worker dies: its backup is made by another, once."""
    victim = await stage.ready(PAUSE_SECONDS="600", STRONGROOM_LEASE_SECONDS="6")
    id_ = await stage.send()
    running = "SELECT 1 FROM jobs WHERE id = $1 AND state = 'running'"
    await until(lambda: stage.fetch(running, id_))
    await victim.end(signal.SIGKILL)
    heir = await stage.ready()
    await until(lambda: stage.fetch("SELECT 1 FROM effects WHERE job = $1", id_))
    rows = await stage.fetch("SELECT fence, pid FROM effects WHERE job = $1", id_)
    assert rows == [(2, heir.process.pid)]
    assert await stage.fetch("SELECT attempt, state FROM jobs WHERE id = $1", id_) == [
        (2, "succeeded")
    ]


async def test_a_stopped_worker_hands_over(stage: Stage) -> None:
    """A deployment in the middle of a long backup: the next worker goes on at once."""
    first = await stage.ready(PAUSE_SECONDS="600")
    id_ = await stage.send()
    await until(lambda: stage.fetch("SELECT 1 FROM jobs WHERE id = $1", id_))
    second = await stage.ready()
    code, _ = await first.end(signal.SIGTERM)
    assert code == 0
    await until(lambda: stage.fetch("SELECT 1 FROM effects WHERE job = $1", id_))
    assert await stage.fetch("SELECT pid FROM effects WHERE job = $1", id_) == [
        (second.process.pid,)
    ]


async def test_a_frozen_worker_cannot_commit_when_it_wakes(stage: Stage) -> None:
    """A machine that was suspended comes back in the middle of a job that another has done."""
    frozen = await stage.ready(PAUSE_SECONDS="8", STRONGROOM_LEASE_SECONDS="9")
    id_ = await stage.send()
    await until(lambda: stage.fetch("SELECT 1 FROM jobs WHERE id = $1", id_))
    frozen.process.send_signal(signal.SIGSTOP)
    heir = await stage.ready()
    await until(lambda: stage.fetch("SELECT 1 FROM effects WHERE job = $1", id_))
    frozen.process.send_signal(signal.SIGCONT)
    await frozen.logs("lease lost")
    await frozen.end(signal.SIGTERM)
    assert await stage.fetch("SELECT pid FROM effects WHERE job = $1", id_) == [(heir.process.pid,)]
