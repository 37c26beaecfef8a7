"""storage-uploader when things go wrong: destinations that lie, replicas, processes that die."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from common.bus.postgres import PostgresTransport
from common.messages import UploadCompleted, UploadFailed, seal
from common.storage.faulty import Fault, FaultPlan, FaultyStore
from common.storage.local import LocalDirectory
from common.storage.memory import MemoryStore
from common.storage.retrying import Backoff, RetryingStore
from common.storage.store import ObjectStore
from integration.uploads import (
    Station,
    compared,
    completed,
    eventually,
    folder_destination,
    listening,
)
from repositories import SealedRepository
from storage_uploader import main, schedule
from storage_uploader.domain import Item
from storage_uploader.proof import check_source

pytestmark = pytest.mark.slow

Url = Callable[[str], str]


@pytest.fixture
async def station(
    database_url: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Station]:
    monkeypatch.setattr(schedule, "_TICK_SECONDS", 0.1)
    destinations = [folder_destination(tmp_path / "second")]
    made = Station(database_url("storage_uploader"), tmp_path, destinations)
    async with listening(made):
        yield made


def replace_store(monkeypatch: pytest.MonkeyPatch, store: ObjectStore) -> None:
    """Every destination of every uploader is ``store``."""
    monkeypatch.setattr(main, "open_store", lambda *_, **__: store)


async def contents(store: ObjectStore) -> dict[str, bytes]:
    return {info.name: await store.get(info.name) async for info in store.list()}


async def test_a_destination_that_lies_is_found_out(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup would be announced as safe at a place that has lost or cut a part of it."""
    rates = {Fault.TEAR: 0.15, Fault.LOSE: 0.1, Fault.REFUSE: 0.1, Fault.LOSE_ANSWER: 0.1}
    inner, plan = MemoryStore(), FaultPlan(3, rates)
    hasty = Backoff(attempts=20, first=0.001, longest=0.01)
    replace_store(monkeypatch, RetryingStore(FaultyStore(inner, plan), hasty))
    async with station.uploader():
        for _ in range(3):
            backup = await station.back_up(packs=10)
            await station.hear(UploadCompleted, backup_id=backup.backup_id)
            there = await contents(inner)
            for name in station.repository.names():
                assert there[name] == station.repository.directory.read(name)
    assert min(plan.drawn[fault] for fault in rates) > 0


async def test_replicas_share_the_work(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two uploaders would send everything twice, over a line that is paid by the byte."""
    store = MemoryStore(part=1_000)
    replace_store(monkeypatch, store)
    async with station.uploader(), station.uploader():
        backups = [await station.back_up(packs=10) for _ in range(3)]
        for backup in backups:
            await station.hear(UploadCompleted, backup_id=backup.backup_id)
    there = await contents(store)
    assert sorted(there) == station.repository.names()
    assert store.received == sum(map(len, there.values()))


class Process:
    """One ``python -m storage_uploader.main`` on the embedded bus."""

    def __init__(self, folder: Path, database_url: Url) -> None:
        destination = folder_destination(folder / "second", bytes_per_second=500_000)
        self._log = folder / "uploader.log"
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url("storage_uploader"),
            "STRONGROOM_BUS_URL": database_url("bus"),
            "STRONGROOM_DESTINATIONS": json.dumps([destination]),
            "STRONGROOM_STATION": "killed",
            "BACKUP_LOCAL_DIR": str(folder / "repository"),
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
        }

    @asynccontextmanager
    async def running(self, *, lease: str) -> AsyncIterator[asyncio.subprocess.Process]:
        environment = {**self._environment, "STRONGROOM_LEASE_SECONDS": lease}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "storage_uploader.main",
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_what_a_prune_writes_anew_meanwhile_comes_too(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A destination would list a backup whose content had just moved to another pack."""
    repository = station.repository
    gone: list[str] = []

    def prune(directory: LocalDirectory, item: Item) -> None:
        if not gone and item.name.startswith("packs/"):
            gone.append(item.name)
            repository.add_backup(packs=1)
            directory.delete(item.name)
        check_source(directory, item)

    async with station.uploader() as uploader:
        await compared(uploader)
        monkeypatch.setattr("storage_uploader.copying.check_source", prune)
        backup = await station.back_up()
        await station.hear(UploadCompleted, backup_id=backup.backup_id)
    assert gone
    assert station.names() == repository.names()


async def test_keys_that_are_changed_meanwhile_come_too(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: trust in alarms. A rotation during an upload would be told as a damaged repository."""
    repository = station.repository
    changed: set[str] = set()

    def rotate(directory: LocalDirectory, item: Item) -> None:
        if item.name.startswith("keys/") and not changed:
            changed.add(item.name)
            repository.rewrap(item.name)
        check_source(directory, item)

    async with station.uploader() as uploader:
        await compared(uploader)
        monkeypatch.setattr("storage_uploader.copying.check_source", rotate)
        backup = await station.back_up()
        await station.hear(UploadCompleted, backup_id=backup.backup_id)
    assert not [each for each in station.heard if isinstance(each, UploadFailed)]
    (name,) = changed
    assert (station.place() / name).read_bytes() == repository.directory.read(name)


async def told(transport: PostgresTransport) -> Any:
    """The next word on an upload."""
    async with transport.listen(["upload.*"]) as heard, asyncio.timeout(120):
        async for envelope in heard:
            return envelope.data
    return None


async def test_a_killed_uploader_goes_on_where_it_was(database_url: Url, tmp_path: Path) -> None:
    """A large first upload over a poor line would begin anew after each restart."""
    repository, second = SealedRepository(tmp_path / "repository"), tmp_path / "second"
    snapshot_id = repository.add_backup(packs=20, pack_size=200_000)
    process = Process(tmp_path, database_url)
    transport = PostgresTransport(SecretStr(database_url("bus")), name="test")
    await transport.start()
    try:
        async with process.running(lease="5") as first:
            await eventually(lambda: len(list(second.glob("packs/*/*"))) > 5)
            first.kill()
            await first.wait()
        await transport.publish(seal(completed("killed", snapshot_id), source="test"))
        before = {path: path.stat().st_ino for path in second.rglob("*/*/*") if path.is_file()}
        assert 5 < len(before) < 20
        listener = asyncio.create_task(told(transport))
        async with process.running(lease="600") as again:
            event = await listener
            again.terminate()
            assert await again.wait() == 0
    finally:
        await transport.close()
    assert isinstance(event, UploadCompleted)
    assert {path: path.stat().st_ino for path in before} == before
    for name in repository.names():
        assert (second / name).read_bytes() == repository.directory.read(name)
