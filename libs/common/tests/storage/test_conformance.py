"""What every ``ObjectStore`` must do, put to each of them. A new store is one more line in STORES.

What is lost when one of these fails is said once, in the docstrings of ``storage/store.py``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.errors import Invalid, NotFound
from common.storage.faulty import Fault, FaultPlan, FaultyStore
from common.storage.local_store import LocalStore
from common.storage.memory import MemoryBookmark, MemoryStore
from common.storage.open import open_store
from common.storage.retrying import Backoff, RetryingStore
from common.storage.store import MAX_OBJECT_SIZE, ObjectInfo, ObjectStore
from common.storage.throttled import ThrottledStore

MiB = 1024 * 1024

HASTY = Backoff(attempts=30, first=0.0001, longest=0.001)


def stormy(inner: ObjectStore) -> ObjectStore:
    """A third of all calls goes wrong in a way that may pass."""
    rates = {Fault.REFUSE: 0.2, Fault.LOSE_ANSWER: 0.1, Fault.DELAY: 0.1}
    return RetryingStore(FaultyStore(inner, FaultPlan(7, rates)), HASTY)


STORES: dict[str, Callable[[Path], ObjectStore]] = {
    "local": lambda path: LocalStore(path / "store"),
    "memory": lambda _: MemoryStore(part=100_000),
    "faulty": lambda _: FaultyStore(MemoryStore(), FaultPlan(1, {})),
    "retrying-local": lambda path: stormy(LocalStore(path / "store")),
    "retrying-memory": lambda _: stormy(MemoryStore(part=100_000)),
    "throttled": lambda _: ThrottledStore(MemoryStore(), 1024 * MiB),
    "opened": lambda path: open_store(f"file://{path}/store"),
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    opened = STORES[request.param](tmp_path)
    await opened.prepare()
    yield opened
    await opened.close()


async def names(store: ObjectStore, prefix: str = "") -> list[str]:
    return sorted([info.name async for info in store.list(prefix)])


async def content(store: ObjectStore, name: str, offset: int = 0) -> bytes:
    return b"".join([piece async for piece in store.stream(name, offset)])


async def test_put_is_readable(store: ObjectStore, tmp_path: Path) -> None:
    """Bytes and files come back as they were, whole and streamed."""
    data = bytes(range(256)) * 10_000
    (tmp_path / "source").write_bytes(data)
    await store.put("packs/ab/abcd", data)
    await store.put("packs/ab/file", tmp_path / "source")
    for name in ("packs/ab/abcd", "packs/ab/file"):
        assert await store.get(name) == data
        assert await content(store, name) == data
        assert await store.stat(name) == ObjectInfo(name, len(data))


async def test_empty_object_is_an_object(store: ObjectStore) -> None:
    """No bytes are not no object."""
    await store.put("config", b"")
    assert await store.get("config") == b""
    assert await content(store, "config") == b""
    assert (await store.stat("config")).size == 0
    assert await names(store) == ["config"]


async def test_put_may_be_repeated(store: ObjectStore) -> None:
    """After a lost answer the same put is made again."""
    await store.put("config", b"same")
    await store.put("config", b"same")
    assert await store.get("config") == b"same"
    assert await names(store) == ["config"]


async def test_put_replaces(store: ObjectStore) -> None:
    """A key is wrapped anew under its old name."""
    await store.put("keys/run", b"a longer former content")
    await store.put("keys/run", b"new")
    assert await store.get("keys/run") == b"new"
    assert (await store.stat("keys/run")).size == 3


async def test_unknown_names_are_not_found(store: ObjectStore) -> None:
    """Missing must differ from empty and from unreachable."""
    await store.put("packs/ab/abcd", b"x")
    for name in ("packs/ab/abc", "packs/ab", "packs", "packs/ab/abcd/x", "keys/run"):
        with pytest.raises(NotFound):
            await store.get(name)
        with pytest.raises(NotFound):
            await content(store, name)
        with pytest.raises(NotFound):
            await store.stat(name)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (8, 4, b"89"),
        (3, 0, b""),
        (10, None, b""),
        (11, 5, b""),
    ],
)
async def test_ranges(store: ObjectStore, offset: int, length: int | None, expected: bytes) -> None:
    """A chunk is read from the middle of its pack."""
    await store.put("packs/ab/abcd", b"0123456789")
    assert await store.get("packs/ab/abcd", offset, length) == expected
    if length is None:
        assert await content(store, "packs/ab/abcd", offset) == expected


async def test_impossible_ranges_are_refused(store: ObjectStore) -> None:
    """A wrong sum must not read from the wrong end."""
    await store.put("config", b"0123456789")
    with pytest.raises(Invalid):
        await store.get("config", -1)
    with pytest.raises(Invalid):
        await store.get("config", 0, -1)
    with pytest.raises(Invalid):
        await content(store, "config", -1)


async def test_list_by_prefix(store: ObjectStore) -> None:
    """Prefixes may end inside a name; what only resembles them is left out."""
    for name in ("config", "index/aa", "packs/ab/ab1", "packs/ab/ab2", "packs/b0/b01"):
        await store.put(name, name.encode())
    assert len(await names(store)) == 5
    assert await names(store, "packs/") == ["packs/ab/ab1", "packs/ab/ab2", "packs/b0/b01"]
    assert await names(store, "packs/ab/ab") == ["packs/ab/ab1", "packs/ab/ab2"]
    assert await names(store, "packs/b") == ["packs/b0/b01"]
    assert await names(store, "pack/") == []
    assert [info async for info in store.list("conf")] == [ObjectInfo("config", 6)]


async def test_delete_may_be_repeated(store: ObjectStore) -> None:
    """After a lost answer the same delete is made again."""
    await store.put("keys/run", b"x")
    await store.delete("keys/run")
    await store.delete("keys/run")
    await store.delete("snapshots/never")
    assert await names(store) == []
    with pytest.raises(NotFound):
        await store.stat("keys/run")


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/config", "config/", "a//b", "a/b/c/d/e", "a" * 201),
        *("../config", "a/../b", ".", "a/.hidden", "tmp", "tmp/x"),
        *("Packs/x", "a b", "a\nb", "a\0b", "é"),
    ],
)
async def test_names_that_no_store_takes(store: ObjectStore, name: str) -> None:
    """A name from an index must not lead out of the repository."""
    with pytest.raises(Invalid):
        await store.put(name, b"x")
    with pytest.raises(Invalid):
        await store.get(name)
    with pytest.raises(Invalid):
        await content(store, name)
    with pytest.raises(Invalid):
        await store.stat(name)
    with pytest.raises(Invalid):
        await store.delete(name)
    assert await names(store) == []


async def test_too_large_is_refused_before_it_is_sent(store: ObjectStore, tmp_path: Path) -> None:
    """Hours of sending would end with a refusal."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(MAX_OBJECT_SIZE + 1)
    with pytest.raises(Invalid):
        await store.put("packs/ab/abcd", tmp_path / "sparse")
    assert await names(store) == []


async def test_concurrent_puts_of_one_name(store: ObjectStore) -> None:
    """Two uploaders send the same object: one of them wins, no mixture."""
    contents = [bytes([number]) * 300_000 for number in range(6)]
    await asyncio.gather(*(store.put("packs/ab/abcd", content) for content in contents))
    assert await store.get("packs/ab/abcd") in contents
    assert await names(store) == ["packs/ab/abcd"]


async def test_readers_see_whole_objects(store: ObjectStore) -> None:
    """While an object is replaced, a reader has the former or the new one."""
    contents = [bytes([number]) * 200_000 for number in range(4)]
    await store.put("config", contents[0])

    async def replace() -> None:
        for content in contents:
            await store.put("config", content)

    writing = asyncio.create_task(replace())
    while not writing.done():
        assert await store.get("config") in contents
        assert await names(store) == ["config"]
        await asyncio.sleep(0)
    await writing


async def test_failed_put_leaves_the_former_object(store: ObjectStore, tmp_path: Path) -> None:
    """A source that is gone must not damage what is stored."""
    await store.put("config", b"former")
    with pytest.raises(NotFound):
        await store.put("config", tmp_path / "absent")
    assert await store.get("config") == b"former"


async def test_stale_bookmark_starts_anew(store: ObjectStore) -> None:
    """An upload that the destination has dropped could never be finished."""
    slip = MemoryBookmark("dropped-long-ago")
    await store.put("packs/ab/abcd", b"x" * 300_000, bookmark=slip)
    assert await store.get("packs/ab/abcd") == b"x" * 300_000
    assert slip.token in {None, "dropped-long-ago"}


async def test_sweep_keeps_objects(store: ObjectStore) -> None:
    """Cleaning up must not touch what is complete."""
    await store.put("config", b"x")
    await store.sweep(datetime.now(UTC) + timedelta(days=1))
    assert await names(store) == ["config"]


async def test_prepare_may_be_repeated(store: ObjectStore) -> None:
    """A second start must not empty or damage the store."""
    await store.put("config", b"x")
    await store.prepare()
    assert await store.get("config") == b"x"
