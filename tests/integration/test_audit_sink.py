"""The audit log on a real database: append-only, whole, and the same in the file."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from audit_sink.main import SERVICE
from audit_sink.settings import AuditSettings
from common.bus.memory import Broker
from common.messages import Actor, AuditPage, AuditRecorded, QueryAudit, seal
from common.service import Runtime, hosted
from integration.workers import Bus, until
from standalone.postgres import Cluster


class Sink:
    """audit-sink on a database and a folder of the test's own."""

    def __init__(self, server: Cluster, database: str, folder: Path) -> None:
        self.database = database
        self.url = server.url("audit_sink", database)
        self.path = folder / "logs" / "security_audit.log"
        self.bus = Bus(Broker(), "audit-sink")

    @asynccontextmanager
    async def running(self, path: Path | None = None) -> AsyncIterator[Runtime[AuditSettings]]:
        settings = AuditSettings(
            database_url=SecretStr(self.url),
            security_audit_log_path=path or self.path,
            shutdown_grace_seconds=2,
        )
        async with hosted(SERVICE, settings, transport=self.bus) as runtime:
            yield runtime

    async def record(self, *numbers: int, **fields: Any) -> None:
        for number in numbers:
            values = {"event_type": "backup_created", "action": "create", **fields}
            event = AuditRecorded(entity_id=str(number), **values)
            actor = Actor(user="ann", address="192.0.2.1")
            await self.bus.publish(seal(event, source="gateway", actor=actor))

    async def count(self) -> int:
        return int((await self.fetch("SELECT count(*) FROM audit_log"))[0][0])

    async def fetch(self, sql: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    def lines(self) -> list[dict[str, Any]]:
        """What is written; the last line may just be on its way."""
        return [json.loads(line) for line in self.path.read_text().split("\n")[:-1]]

    def verify(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "audit_sink.verify"],
            env={"DATABASE_URL": self.url, "SECURITY_AUDIT_LOG_PATH": str(self.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
async def sink(
    postgres_server: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Sink]:
    name = f"audit_{abs(hash(request.node.name)) % 10**9}"
    postgres_server.create_database(name)
    sink = Sink(postgres_server, name, tmp_path)
    await sink.bus.start()
    yield sink
    await sink.bus.close()
    postgres_server.drop_database(name)


async def test_events_become_a_chain_in_table_and_file(sink: Sink) -> None:
    """What happened must be found in both, in order, and be provable."""
    async with sink.running():
        await sink.record(*range(50))
        await until(lambda: sink.path.exists() and len(sink.lines()) == 50)
    assert [entry["entity_id"] for entry in sink.lines()] == [str(n) for n in range(50)]
    assert [entry["seq"] for entry in sink.lines()] == list(range(1, 51))
    done = await asyncio.to_thread(sink.verify)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 entries in the table" in done.stdout
    assert "It is whole." in done.stdout


async def test_an_event_delivered_again_is_recorded_once(sink: Sink) -> None:
    """A doubled entry says that something happened twice."""
    async with sink.running():
        envelope = seal(AuditRecorded(event_type="e", action="a"), source="gateway")
        for _ in range(3):
            await sink.bus.publish(envelope)
        await sink.record(1)
        await until(lambda: sink.path.exists() and len(sink.lines()) >= 2)
        await asyncio.sleep(0.2)
    assert await sink.count() == 2


async def test_two_replicas_write_one_chain(sink: Sink, tmp_path: Path) -> None:
    """Two writers at once would fork the chain, and a fork looks like tampering."""
    async with sink.running(), sink.running(tmp_path / "other" / "audit.log"):
        await sink.record(*range(80))
        await until(lambda: sink.path.exists() and len(sink.lines()) == 80)
    done = await asyncio.to_thread(sink.verify)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET entry = '{}'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
async def test_the_service_itself_cannot_change_the_log(sink: Sink, statement: str) -> None:
    """Whoever takes over the service must not be able to remove the traces."""
    async with sink.running() as runtime:
        await sink.record(1)
        await until(sink.count)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await runtime.pool.execute(statement)
    assert await sink.count() == 1


async def test_even_the_administrator_is_stopped_and_found_out(
    sink: Sink, postgres_server: Cluster
) -> None:
    """A superuser can switch the trigger off; the chain and the file must show what he did."""
    async with sink.running():
        await sink.record(*range(5), user_id="ann")
        await until(lambda: sink.path.exists() and len(sink.lines()) == 5)
    forged = "UPDATE audit_sink.audit_log SET entry = replace(entry, 'ann', 'bob') WHERE seq = 3"
    with pytest.raises(Exception, match="refuse_change"):
        postgres_server.sql(forged, database=sink.database)
    trigger = "ALTER TABLE audit_sink.audit_log {} TRIGGER audit_log_is_append_only;"
    disabled, enabled = trigger.format("DISABLE"), trigger.format("ENABLE")
    postgres_server.sql(f"{disabled} {forged}; {enabled}", database=sink.database)
    done = await asyncio.to_thread(sink.verify)
    assert done.returncode == 7
    assert "3: The entry or its hash was changed." in done.stdout
    assert "3: The line in the file is not the table's entry." in done.stdout


async def test_a_removed_end_shows_in_the_file(sink: Sink, postgres_server: Cluster) -> None:
    """The chain alone cannot tell that its last entries are gone."""
    async with sink.running():
        await sink.record(*range(3))
        await until(lambda: sink.path.exists() and len(sink.lines()) == 3)
    postgres_server.sql(
        "ALTER TABLE audit_sink.audit_log DISABLE TRIGGER ALL;"
        " DELETE FROM audit_sink.audit_log WHERE seq = 3",
        database=sink.database,
    )
    done = await asyncio.to_thread(sink.verify)
    assert done.returncode == 7
    assert "3: The line in the file" in done.stdout


async def test_the_file_catches_up_after_a_crash(sink: Sink) -> None:
    """Entries that were recorded while the file could not be written must come to it later."""
    async with sink.running():
        await sink.record(*range(3))
        await until(lambda: sink.path.exists() and len(sink.lines()) == 3)
    whole = sink.path.read_bytes()
    # As after a power cut: the last line is torn, and nothing was noted of the two before it.
    sink.path.write_bytes(whole[:-20])
    sink.path.with_name("security_audit.log.position").write_bytes(b"")
    async with sink.running():
        await sink.record(3)
        await until(lambda: len(sink.path.read_text().splitlines()) == 4)
    assert [entry["seq"] for entry in sink.lines()] == [1, 2, 3, 4]
    assert sink.path.read_bytes().startswith(whole)


async def test_a_file_that_cannot_be_written_is_reported_and_mended(sink: Sink) -> None:
    """A full disk must be seen, must not stop the log, and must leave no hole in the file."""
    sink.path.parent.parent.mkdir(exist_ok=True)
    sink.path.parent.write_text("in the way")
    async with sink.running() as runtime:
        await sink.record(1)
        await until(sink.count)

        async def warned() -> bool:
            return "audit file" in (await runtime.health.report()).warnings

        async def mended() -> bool:
            return not await warned()

        await until(warned)
        sink.path.parent.unlink()
        await sink.record(2)
        await until(lambda: sink.path.exists() and len(sink.lines()) == 2)
        await until(mended)


async def test_rotation_loses_and_doubles_nothing(sink: Sink) -> None:
    """The log is rotated every night."""
    async with sink.running():
        await sink.record(*range(3))
        await until(lambda: sink.path.exists() and len(sink.lines()) == 3)
        sink.path.rename(sink.path.with_name("rotated"))
        await sink.record(*range(3, 5))
        await until(lambda: sink.path.exists() and len(sink.lines()) == 2)
    assert [entry["seq"] for entry in sink.lines()] == [4, 5]


async def test_questions_are_answered_with_filters(sink: Sink) -> None:
    """The console's audit page shows what was asked for, newest first, and how much there is."""
    async with sink.running() as runtime:
        await sink.record(*range(4), event_type="login_attempt", risk_level="high")
        await sink.record(4, 5)
        await until(lambda: sink.path.exists() and len(sink.lines()) == 6)

        async def ask(**filters: Any) -> tuple[list[str], int]:
            page = await runtime.ask(QueryAudit(**filters))
            assert isinstance(page, AuditPage)
            return [entry["entity_id"] for entry in page.entries], page.total

        assert await ask() == (["5", "4", "3", "2", "1", "0"], 6)
        assert await ask(event_type="login_attempt", limit=2, offset=1) == (["2", "1"], 4)
        assert await ask(risk_level="low") == (["5", "4"], 2)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        assert await ask(start=tomorrow) == ([], 0)
        assert (await ask(end=tomorrow))[1] == 6


async def test_odd_characters_are_kept(sink: Sink) -> None:
    """A user agent is whatever a stranger sends."""
    odd = "a\x00b\n\u2028\ud7ff\U0001f512"
    async with sink.running():
        await sink.record(1, event_type=odd, user_agent=odd)
        await until(lambda: sink.path.exists() and sink.lines())
    assert sink.lines()[0]["user_agent"] == odd
    assert (await asyncio.to_thread(sink.verify)).returncode == 0


async def test_the_file_can_be_switched_off(sink: Sink) -> None:
    """SECURITY_AUDIT_LOG_ENABLED=false: no file; the table is kept all the same."""
    settings = AuditSettings(
        database_url=SecretStr(sink.url),
        security_audit_log_enabled=False,
        security_audit_log_path=sink.path,
    )
    async with hosted(SERVICE, settings, transport=sink.bus):
        await sink.record(1)
        await until(sink.count)
    assert not sink.path.exists()
