"""The three buses behind one face, for tests that hold all of them to the same promises."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol
from uuid import uuid4

import aio_pika
import asyncpg
import pytest
from pydantic import SecretStr

from common.bus.amqp import AmqpTransport
from common.bus.memory import Broker as MemoryBroker
from common.bus.memory import Item, MemoryTransport
from common.bus.postgres import PostgresTransport
from common.bus.transport import Policy, Transport
from integration.mishaps import running
from integration.rabbitmq_node import Broker
from standalone.postgres import Cluster

VICTIM = Path(__file__).with_name("bus_victim.py")
PATIENT = {
    "retry_delays": (0.3, 0.9),
    "visibility": 60.0,
    "publish_timeout": 60.0,
    "connect_timeout": 60.0,
}


class Backend(Protocol):
    """What differs between the buses, apart from their transports."""

    def transport(self, name: str, policy: Policy) -> Transport:
        """A transport that is not started."""

    async def inject(self, queue: str, body: bytes) -> None:
        """Put bytes into ``queue`` that no transport would send."""

    async def remove(self, queues: Sequence[str]) -> None:
        """Leave nothing behind."""


class Server(Protocol):
    """What carries a bus, for tests that take it away."""

    def start(self) -> None:
        """Start it again. From the main thread."""

    def stop(self, *, kill: bool = False) -> None:
        """Stop it in order, or as a power cut would."""


class PostgresServer:
    """The embedded database as such a server."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def start(self) -> None:
        self._cluster.start(180)

    def stop(self, *, kill: bool = False) -> None:
        if kill:
            self._cut_power(self._cluster.process)
        self._cluster.stop()

    @staticmethod
    def _cut_power(server: "subprocess.Popen[bytes]") -> None:
        """All of it ends: the next server refuses to start beside a process of this one."""
        server.send_signal(signal.SIGSTOP)
        parts = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        for pid in (server.pid, *map(int, parts)):
            os.kill(pid, signal.SIGKILL)
        server.wait(60)
        deadline = monotonic() + 60
        while any(running(int(pid)) for pid in parts):
            assert monotonic() < deadline, "a process of PostgreSQL does not end"
            sleep(0.02)


class Bus:
    """One test's use of a bus: its transports and queues end with it."""

    def __init__(
        self, backend: Backend, environment: dict[str, str], server: Server | None = None
    ) -> None:
        self.backend = backend
        self._server = server
        self._environment = environment
        self._transports: list[Transport] = []
        self._queues: list[str] = []

    @property
    def server(self) -> Server:
        """The server, if it is ours to stop; else the test is skipped."""
        if self._server is None:
            pytest.skip("the server is not the tests' own")
        return self._server

    def policy(self, **changes: Any) -> Policy:
        """Short pauses, and limits that a busy machine does not reach."""
        return Policy(**{**PATIENT, **changes})

    async def open(self, name: str = "backup-worker", **changes: Any) -> Transport:
        """A started transport."""
        transport = self.backend.transport(name, self.policy(**changes))
        await transport.start()
        self._transports.append(transport)
        return transport

    def name(self, purpose: str = "work") -> str:
        """A queue's name that no other test has."""
        name = f"backup-worker.{purpose}.{uuid4().hex[:8]}"
        self._queues.append(name)
        return name

    async def queue(
        self, transport: Transport, purpose: str = "work", events: Sequence[str] = ()
    ) -> str:
        """A new queue."""
        name = self.name(purpose)
        await transport.declare(name, events)
        return name

    async def kill_a_consumer(self, queue: str) -> None:
        """A process of its own takes one message and is killed with it in hands."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(VICTIM),
            queue,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            said = await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert said == b"taken\n"

    async def close(self) -> None:
        """End the transports, then remove the queues."""
        for transport in self._transports:
            await transport.close()
        await self.backend.remove(self._queues)


class MemoryBackend:
    """No server."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()

    def transport(self, name: str, policy: Policy) -> Transport:
        return MemoryTransport(self.broker, name=name, policy=policy)

    async def inject(self, queue: str, body: bytes) -> None:
        await self.broker.queue(queue).put(Item(body, "poison"))

    async def remove(self, queues: Sequence[str]) -> None:
        for task in self.broker.later:
            task.cancel()


class PostgresBackend:
    """The embedded bus; ``url`` is the bus role's."""

    def __init__(self, url: str) -> None:
        self._url = url

    def transport(self, name: str, policy: Policy) -> Transport:
        return PostgresTransport(SecretStr(self._url), name=name, policy=policy)

    async def inject(self, queue: str, body: bytes) -> None:
        await self._run(
            "INSERT INTO bus.messages (queue, message_id, type, body) "
            "VALUES ($1, gen_random_uuid(), 'poison', $2)",
            queue,
            body,
        )

    async def remove(self, queues: Sequence[str]) -> None:
        await self._run("DELETE FROM bus.dead_letters WHERE queue = ANY($1)", queues)
        await self._run("DELETE FROM bus.queues WHERE name = ANY($1)", queues)

    async def _run(self, statement: str, *arguments: object) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


class AmqpBackend:
    """RabbitMQ."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def transport(self, name: str, policy: Policy) -> Transport:
        return AmqpTransport(SecretStr(self._broker.url), name=name, policy=policy)

    async def inject(self, queue: str, body: bytes) -> None:
        async with await aio_pika.connect(self._broker.url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange("strongroom.commands")
            await exchange.publish(aio_pika.Message(body), queue)

    async def remove(self, queues: Sequence[str]) -> None:
        async with await aio_pika.connect(self._broker.url) as connection:
            channel = await connection.channel()
            for queue in queues:
                await channel.queue_delete(queue)
            dead = await channel.get_queue("strongroom.dead", ensure=False)
            while letter := await dead.get(fail=False):
                if letter.routing_key in queues:
                    await letter.ack()


def memory_bus() -> Bus:
    """A bus without a server."""
    return Bus(MemoryBackend(), {})


def postgres_bus(url: str, cluster: Cluster) -> Bus:
    """A bus on PostgreSQL."""
    return Bus(PostgresBackend(url), {"BUS_URL": url}, PostgresServer(cluster))


def amqp_bus(broker: Broker) -> Bus:
    """A bus on RabbitMQ."""
    return Bus(AmqpBackend(broker), {"BUS_URL": broker.url}, broker if broker.ours else None)
