"""What counts as being there, and what is never sent."""

from pathlib import Path

import pytest

from common.errors import Conflict, Corrupt, NotFound
from common.storage.local import LocalDirectory
from common.storage.memory import MemoryStore
from repositories import SealedRepository
from storage_uploader.destination import Place, check_identity
from storage_uploader.proof import check_source, is_proven, survey


@pytest.fixture
def repository(tmp_path: Path) -> SealedRepository:
    made = SealedRepository(tmp_path / "repository")
    made.add_backup()
    return made


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_survey_names_every_object(repository: SealedRepository) -> None:
    """What it leaves out is never copied."""
    assert sorted(item.name for item in survey(repository.directory)) == repository.names()


def test_survey_lists_snapshots_before_what_they_need(repository: SealedRepository) -> None:
    """A backup that ends while the folder is listed would be copied without its packs."""
    items = survey(repository.directory)
    first = next(items)
    snapshot_id = repository.add_backup()
    names = {first.name} | {item.name for item in items}
    assert f"snapshots/{snapshot_id}" not in names
    assert set(repository.names("packs/")) <= names


def test_what_is_listed_is_durable(
    repository: SealedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut would take a snapshot from here, and the chain at the destination would fork."""
    settled: list[str] = []
    monkeypatch.setattr(LocalDirectory, "settle", lambda _, *folders: settled.extend(folders))
    next(survey(repository.directory))
    assert settled == ["snapshots"]


@pytest.mark.parametrize("prefix", ["packs/", "index/", "snapshots/"])
def test_a_damaged_object_is_not_sent(repository: SealedRepository, prefix: str) -> None:
    """Rot would be copied over the last good copy."""
    (item, *_) = (each for each in survey(repository.directory) if each.name.startswith(prefix))
    check_source(repository.directory, item)
    flip(repository.path / item.name)
    with pytest.raises(Corrupt, match="not sent"):
        check_source(repository.directory, item)


@pytest.mark.parametrize("prefix", ["keys/", "config"])
def test_a_damaged_key_is_not_sent(repository: SealedRepository, prefix: str) -> None:
    """Its name is no hash: a damaged key would be taken for a rewritten one."""
    flip(repository.path / repository.names(prefix)[0])
    (item,) = (each for each in survey(repository.directory) if each.name.startswith(prefix))
    with pytest.raises(Corrupt, match="not sent"):
        check_source(repository.directory, item)


async def test_proof_reads_every_byte(repository: SealedRepository) -> None:
    """A destination that damages or cuts an object would count as a copy."""
    store = MemoryStore(part=10_000)
    (item, *_) = (each for each in survey(repository.directory) if each.name.startswith("packs/"))
    content = repository.directory.read(item.name)
    assert not await is_proven(store, item)
    for wrong in (content[:-1], content[:-1] + b"\0" + content[-1:], bytes(len(content))):
        await store.put(item.name, wrong)
        assert not await is_proven(store, item)
    await store.put(item.name, content)
    assert await is_proven(store, item)


async def test_a_place_of_another_repository_is_refused(tmp_path: Path) -> None:
    """Two repositories in one folder would overwrite each other's keys."""
    ours, other = SealedRepository(tmp_path / "ours"), SealedRepository(tmp_path / "other")
    store = MemoryStore()
    place = Place("second", store)
    assert not await check_identity(place, ours.id, had_config=False)
    await store.put("config", other.directory.read("config"))
    with pytest.raises(Conflict, match="another repository"):
        await check_identity(place, ours.id, had_config=False)
    await store.put("config", b"something else")
    with pytest.raises(Conflict, match="cannot be read"):
        await check_identity(place, ours.id, had_config=False)
    await store.put("config", ours.directory.read("config"))
    assert await check_identity(place, ours.id, had_config=True)


async def test_an_emptied_place_is_refused() -> None:
    """With its disk not mounted, all backups would be sent to the system's own disk."""
    with pytest.raises(Conflict, match="Mount its disk"):
        await check_identity(Place("second", MemoryStore()), "ab" * 16, had_config=True)


def test_a_vanished_object_is_told_from_a_damaged_one(repository: SealedRepository) -> None:
    """A prune during an upload would look like a broken disk."""
    (item, *_) = survey(repository.directory)
    repository.directory.delete(item.name)
    with pytest.raises(NotFound):
        check_source(repository.directory, item)
