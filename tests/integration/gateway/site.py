"""A running gateway, its users, and the workers' side of the bus."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx

from common.bus.memory import Broker, MemoryTransport
from common.crypto.passwords import Passwords
from common.db import borrowed
from common.messages import (
    AuditRecorded,
    BackupCompleted,
    BackupStarted,
    ComponentResult,
    Envelope,
    Event,
    Message,
    seal,
    uuid7,
)
from common.service import Runtime, hosted
from gateway.backups import store as backups
from gateway.identity import store
from gateway.identity.domain import name_key
from gateway.main import service
from gateway.settings import GatewaySettings

PASSWORD = "right-horse-battery"
SECRET = "Rk3vQ8sT1xZ6bN4mJ7pL2wY9cF5hD0gA"
PATIENCE = 60
ROUNDS = 5
"""Less than the settings allow: here people log in a thousand times."""
STORED = Passwords(ROUNDS).hash(PASSWORD)
BACKUPS = "backup-worker.commands.main"
RESTORES = "restore-worker.commands.main"
HELD = """
CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.hour := TG_ARGV[0]; RETURN NEW; END $$;
CREATE TRIGGER held BEFORE INSERT ON request_counts FOR EACH ROW EXECUTE FUNCTION held({});
"""
LONGEST_HOUR = 5400
"""Seconds that are left of it then, at most."""
QUEUES = (BACKUPS, RESTORES, "backup-worker.control", "restore-worker.control")


def settings(database_url: str, **changes: Any) -> GatewaySettings:
    """Settings of a gateway that tests can hurry."""
    values = {
        "database_url": database_url,
        "gateway_port": 0,
        "strongroom_admin_password": PASSWORD,
        "security_max_sessions": 50,
        "security_max_requests_per_minute": 10_000,
        "security_max_requests_per_hour": 10_000,
        "gateway_max_request_bytes": 20_000,
        "security_encryption_key": SECRET,
        "security_key_salt": SECRET,
        "shutdown_grace_seconds": 2,
    }
    made = GatewaySettings(**{**values, **changes})
    rounds = changes.get("security_bcrypt_rounds", ROUNDS)
    return made.model_copy(update={"security_bcrypt_rounds": rounds})


@dataclass
class Site:
    """A gateway that answers at ``url``, and what stands around it."""

    runtime: Runtime[GatewaySettings]
    workers: MemoryTransport
    broker: Broker
    url: str
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def anonymous(self) -> httpx.AsyncClient:
        """A client that has not logged in."""
        # Certificates, which nobody needs here, would take most of the time of a test.
        client = httpx.AsyncClient(base_url=self.url, timeout=1.5 * PATIENCE, verify=False)
        self.clients.append(client)
        return client

    async def log_in(self, name: str = "admin", password: str = PASSWORD) -> httpx.AsyncClient:
        """A client in a session of its own."""
        client = self.anonymous()
        credential = {"username": name, "password": password}
        answer = await client.post("/api/auth/login", json=credential)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    async def add_user(self, roles: Sequence[str], permissions: Sequence[str] = ()) -> str:
        """A user with these roles, and one role of exactly these permissions if there are any."""
        name = f"user-{uuid4().hex[:8]}"
        async with self.runtime.transaction() as context:
            own = [f"role-{name}"] if permissions else []
            if permissions:
                await context.conn.execute(
                    "INSERT INTO roles VALUES ($1, $2)", own[0], list(permissions)
                )
            user = store.User(str(uuid7()), name, STORED)
            await store.add_user(context.conn, user, name_key(name), [*roles, *own])
        return name

    async def hold_the_hour(self) -> None:
        """Let the hour in which requests are counted go on for half an hour at least."""
        hour = "SELECT floor((extract(epoch FROM now()) + 1800) / 3600)::bigint"
        await self.runtime.pool.execute(HELD.format(await self.runtime.pool.fetchval(hour)))

    async def user_id(self, name: str) -> str:
        """The id of a user."""
        found = await self.runtime.pool.fetchval("SELECT id FROM users WHERE name = $1", name)
        return str(found)

    async def tell(self, event: Event, at: datetime | None = None) -> Envelope:
        """What a worker tells the platform."""
        envelope = seal(event, source="worker")
        if at:
            envelope = envelope.model_copy(update={"time": at})
        await self.workers.publish(envelope)
        return envelope

    async def settled(self) -> None:
        """Wait until the gateway has heard all that was told so far.

        Its queue keeps the order, so what is told last is heard last.
        """
        last = str(uuid7())
        await self.tell(BackupStarted(backup_id=last, backup_name="", station="", worker="w"))
        async with asyncio.timeout(PATIENCE):
            while not await self.state(last):
                await asyncio.sleep(0.01)

    async def commanded(self, queue: str) -> Message:
        """The next command that the gateway has sent to this queue."""
        delivery = await self.workers.take(queue, PATIENCE)
        assert delivery is not None, f"nothing came to {queue}"
        await delivery.ack()
        return delivery.envelope.data

    async def quiet(self) -> None:
        """Forget commands and audit entries that nobody has asked for."""
        await self.sent()
        for queue in (*QUEUES, "audit-sink.events"):
            while delivery := await self.workers.take(queue, 0.05):
                await delivery.ack()

    async def sent(self) -> None:
        """Wait until all that the gateway has recorded is on the bus."""
        async with asyncio.timeout(PATIENCE):
            while await self.runtime.pool.fetchval("SELECT count(*) FROM outbox"):
                await asyncio.sleep(0.02)

    async def audited(self) -> list[AuditRecorded]:
        """What has come to the audit log since the last time."""
        found = []
        await asyncio.sleep(0.3)  # some are recorded after the answer
        await self.sent()
        while delivery := await self.workers.take("audit-sink.events", 0.2):
            await delivery.ack()
            assert isinstance(delivery.envelope.data, AuditRecorded)
            found.append(delivery.envelope.data)
        return found

    async def backup(self, name: str = "") -> str:
        """The id of a completed backup, which no request had asked for."""
        backup_id = str(uuid7())
        await self.tell(completed(backup_id, name or f"backup-{backup_id[-6:]}"))
        async with asyncio.timeout(PATIENCE):
            while (await self.state(backup_id)) != "completed":
                await asyncio.sleep(0.02)
        return backup_id

    async def state(self, backup_id: str) -> str:
        """The state of a backup in the lists; empty if it is not there."""
        async with borrowed(self.runtime.pool) as connection:
            found = await backups.find(connection, backup_id)
        return found.state.value if found else ""


def code(answer: httpx.Response) -> str:
    """The code of the error that an answer reports."""
    return str(answer.json()["error"]["code"])


def completed(backup_id: str, name: str, **changes: Any) -> BackupCompleted:
    """A worker's word that a backup of two components stands."""
    values: dict[str, Any] = {
        "backup_id": backup_id,
        "backup_name": name,
        "station": "main",
        "plan": "manual",
        "backup_type": "full",
        "snapshot_id": "ab" * 32,
        "chain": "main/manual",
        "counter": 1,
        "components": (
            ComponentResult(name="database", kind="postgres"),
            ComponentResult(name="files", kind="files"),
        ),
        "entries": 10,
        "size_bytes": 1000,
        "added_bytes": 500,
        "stored_bytes": 200,
        "duration_seconds": 1.5,
        "encrypted": True,
    }
    return BackupCompleted(**{**values, **changes})


@asynccontextmanager
async def running(database_url: str, **changes: Any) -> AsyncIterator[Site]:
    """A gateway with a bus of its own."""
    broker = Broker()
    workers = MemoryTransport(broker, name="workers")
    await workers.start()
    for queue in QUEUES:
        await workers.declare(queue)
    await workers.declare("audit-sink.events", ["audit.*"])
    own = MemoryTransport(broker, name="gateway")
    await own.start()
    chosen = settings(database_url, **changes)
    ports: list[int] = []
    async with hosted(service(listening=ports.append), chosen, transport=own) as runtime:
        site = Site(runtime, workers, broker, f"http://127.0.0.1:{ports[0]}")
        try:
            yield site
        finally:
            for client in site.clients:
                await client.aclose()
    await own.close()
    await workers.close()
