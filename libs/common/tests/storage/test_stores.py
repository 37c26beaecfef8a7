"""What single stores do beyond the contract that all of them share."""

import asyncio
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.errors import Invalid, NoSpace, Unavailable
from common.storage.faulty import Fault, FaultPlan, FaultyStore
from common.storage.local import LocalDirectory
from common.storage.local_store import LocalStore
from common.storage.memory import MemoryBookmark, MemoryStore
from common.storage.open import open_store
from common.storage.retrying import Backoff, RetryingStore
from common.storage.throttled import ThrottledStore


async def test_upload_goes_on_where_it_stopped() -> None:
    """A large object over a poor line would be sent from its start for ever."""
    store, slip = MemoryStore(capacity=250, part=100), MemoryBookmark()
    data = bytes(range(250)) + b"more"
    with pytest.raises(NoSpace):
        await store.put("packs/ab/abcd", data, bookmark=slip)
    assert slip.token
    assert [info async for info in store.list()] == []
    store.capacity = None
    await store.put("packs/ab/abcd", data, bookmark=slip)
    assert await store.get("packs/ab/abcd") == data
    assert store.received == len(data)
    assert slip.token is None


async def test_sweep_ends_old_uploads() -> None:
    """Parts of dead uploads would be paid for and never seen."""
    store = MemoryStore(capacity=150, part=100)
    with pytest.raises(NoSpace):
        await store.put("packs/ab/abcd", bytes(200), bookmark=MemoryBookmark())
    assert await store.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await store.sweep(datetime.now(UTC)) == 1
    await store.put("config", bytes(150))


async def test_local_store_writes_private_files(tmp_path: Path) -> None:
    """Other users of the machine could copy or replace a backup."""
    store = LocalStore(tmp_path / "store")
    await store.prepare()
    await store.put("packs/ab/abcd", b"x")
    paths = list((tmp_path / "store").rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    await store.close()


async def test_local_store_sweeps_only_its_own(tmp_path: Path) -> None:
    """The unfinished pack of a running backup would be pulled from under it."""
    directory = LocalDirectory(tmp_path)
    store = LocalStore(tmp_path)
    with directory.begin("put"), directory.begin("0198-run"):
        assert await store.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
        assert await store.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
        assert len(directory.leftovers("0198-run")) == 1
    await store.close()


async def test_hanging_disk_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead network share would hold an upload for ever, without a word."""
    store, answered = LocalStore(tmp_path, wait=0.05), threading.Event()
    monkeypatch.setattr(LocalDirectory, "stat", lambda *_: answered.wait(60))
    with pytest.raises(Unavailable, match="has not answered"):
        await store.stat("config")
    answered.set()
    await store.close()


@pytest.mark.parametrize("fault", [Fault.TEAR, Fault.LOSE])
async def test_faults_break_the_contract(fault: Fault) -> None:
    """A test of the uploader's proof would prove nothing."""
    inner = MemoryStore()
    await FaultyStore(inner, FaultPlan(1, {fault: 1.0})).put("config", b"0123")
    found = {info.name: info.size async for info in inner.list()}
    assert found == ({"config": 2} if fault is Fault.TEAR else {})


async def test_a_seed_repeats_its_faults() -> None:
    """A failure found at random could not be found again."""
    rates = {Fault.REFUSE: 0.3, Fault.TEAR: 0.3}
    first, second, other = FaultPlan(5, rates), FaultPlan(5, rates), FaultPlan(6, rates)
    drawn = [first.draw() for _ in range(50)]
    assert drawn == [second.draw() for _ in range(50)]
    assert drawn != [other.draw() for _ in range(50)]


async def test_retries_are_bounded() -> None:
    """A destination that is gone would never be reported."""
    plan = FaultPlan(1, {Fault.REFUSE: 1.0})
    store = RetryingStore(FaultyStore(MemoryStore(), plan), Backoff(attempts=3, first=0.001))
    with pytest.raises(Unavailable):
        await store.get("config")
    assert plan.drawn[Fault.REFUSE] == 3


async def test_only_what_may_pass_is_retried() -> None:
    """A full disk or a wrong name would be hammered."""
    inner = MemoryStore(capacity=3)
    store = RetryingStore(inner, Backoff(first=600.0, longest=600.0))
    async with asyncio.timeout(60):
        with pytest.raises(NoSpace):
            await store.put("config", b"0123")
        with pytest.raises(Invalid):
            await store.put("../config", b"")


async def test_throttle_keeps_its_rate() -> None:
    """A backup would take the whole line in office hours."""
    store = ThrottledStore(MemoryStore(), 100_000)
    begin = time.monotonic()
    for number in range(4):
        await store.put(f"packs/ab/{number}", bytes(5_000))
    assert time.monotonic() - begin >= 0.149


@pytest.mark.parametrize("url", ["ftp://host/x", "/srv/x", "file://host/x", "file:relative", ""])
def test_unusable_addresses_are_refused(url: str) -> None:
    """Backups would go to a place that nobody meant."""
    with pytest.raises(Invalid):
        open_store(url)


async def test_refused_address_is_not_repeated() -> None:
    """A password in an address would end in a log."""
    with pytest.raises(Invalid) as refused:
        open_store("sftp://user:hunter2@host/x")
    assert "hunter2" not in str(refused.value)
