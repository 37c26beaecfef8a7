"""Everything that a deployment tells while it works, and a search for its secrets in all of it."""

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aio_pika
from pydantic import SecretStr

from common.bus.amqp import AmqpTransport
from common.messages import SYSTEM, CancelRestore, seal, uuid7
from integration.deployment import Deployment
from integration.rabbitmq_node import Node
from standalone.postgres import Cluster

TRACES, COPIES = "amq.rabbitmq.trace", "test.every-message"
TABLES = """
SELECT format('SELECT %L || (t.*)::text FROM %I.%I AS t', schemaname || '.' || tablename || ' ',
              schemaname, tablename)
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') \\gexec
"""


class Told:
    """What was told, by the place where it stands."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.commands: set[str] = set()

    def add(self, place: str, text: str) -> None:
        """Remember what stands somewhere."""
        self.places[place] = text

    def places_of(self, secrets: Mapping[str, str]) -> list[str]:
        """Which secret stands where, in any writing; the secrets themselves are not repeated."""
        self.add("process list", "\n".join(sorted(self.commands)))
        return [
            f"{name} in {place}, as {writing}"
            for name, secret in secrets.items()
            for writing, form in writings(secret).items()
            for place, text in self.places.items()
            if form in text
        ]


def writings(secret: str) -> dict[str, str]:
    """The ways in which a text may stand in a log, JSON, a bytea column or an address."""
    raw = secret.encode()
    forms = {
        "itself": secret,
        "JSON": json.dumps(secret)[1:-1],
        "part of an address": quote(secret, safe=""),
        "hexadecimal digits": raw.hex(),
        "base64": base64.b64encode(raw).decode().rstrip("="),
        "base64 for addresses": base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
    return {name: form for name, form in forms.items() if name == "itself" or form != secret}


@contextmanager
def overheard(node: Node) -> Iterator[None]:
    """The broker keeps a copy of every message, for ``collect``."""
    apart(_bind(node.url))
    node.control("trace_on")
    try:
        yield
    finally:
        node.control("trace_off")


@contextmanager
def watched(six: Deployment, told: Told) -> Iterator[None]:
    """The command lines of all six and of what they start, looked at again and again."""
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(six, told, stop))
    watch.start()
    try:
        yield
    finally:
        stop.set()
        watch.join(10)


def collect(six: Deployment, told: Told, node: Node, cluster: Cluster, database: str) -> None:
    """Everything that stands somewhere now."""
    for name, process in six.processes.items():
        told.add(f"the log of {name}", process.log.read_text(errors="replace"))
    told.add("the audit file", six.audit_log.read_text())
    told.add("the log of PostgreSQL", cluster.log.read_text(errors="replace"))
    told.add("the database", cluster.sql(TABLES, database=database))
    for log in node.logs():
        told.add(f"RabbitMQ's {log.name}", log.read_text(errors="replace"))
    told.add("the bus", "\n".join(apart(_copies(node.url))))
    told.add("the dead letters", "\n".join(apart(_dead_letters(node.url))))
    node.control("purge_queue", "strongroom.dead")


def apart(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of ``work`` from an event loop of its own, whatever runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result(60)


async def misaddressed(url: str, queue: str) -> None:
    """Send a command to a queue whose service does not know it: it becomes a dead letter."""
    transport = AmqpTransport(SecretStr(url), name="test")
    await transport.start()
    try:
        command = CancelRestore(operation_id=str(uuid7()))
        await transport.publish(seal(command, source="test", actor=SYSTEM), queue=queue)
        async with asyncio.timeout(60):
            while not await transport.dead_letters(1):
                await asyncio.sleep(0.1)
    finally:
        await transport.close()


async def _bind(url: str) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        queue = await channel.declare_queue(COPIES, durable=True)
        await queue.purge()
        await queue.bind(TRACES, "publish.#")


async def _copies(url: str) -> list[str]:
    """Headers and bodies of every message since ``_bind``."""
    found = []
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        queue = await channel.get_queue(COPIES)
        while message := await queue.get(fail=False, no_ack=True):
            found.append(f"{message.headers} {message.body.decode(errors='replace')}")
        await queue.delete()
    return found


async def _dead_letters(url: str) -> list[str]:
    transport = AmqpTransport(SecretStr(url), name="test")
    await transport.start()
    try:
        letters = await transport.dead_letters(1000)
        return [f"{letter} {letter.body.decode(errors='replace')}" for letter in letters]
    finally:
        await transport.close()


def _watch(six: Deployment, told: Told, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        for worker in six.processes.values():
            told.commands.update(_commands(worker.process.pid))


def _commands(pid: int) -> Iterator[str]:
    """The command lines of a process and its descendants."""
    with contextlib.suppress(OSError):
        yield Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _commands(int(child))
