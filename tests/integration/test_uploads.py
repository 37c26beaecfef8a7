"""storage-uploader on a real database and real folders: what arrives, when, and what is said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from common.messages import AuditRecorded, BackupCompleted, UploadCompleted, UploadFailed
from common.service import Runtime
from integration.uploads import (
    Station,
    compared,
    eventually,
    folder_destination,
    listening,
    until_none,
)
from storage_uploader import schedule
from storage_uploader.domain import Amount
from storage_uploader.settings import UploaderSettings
from storage_uploader.store import destinations, uploads

Url = Callable[[str], str]


@pytest.fixture
async def station(
    database_url: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Station]:
    monkeypatch.setattr(schedule, "_TICK_SECONDS", 0.1)
    destinations = [folder_destination(tmp_path / name) for name in ("second", "third")]
    made = Station(database_url("storage_uploader"), tmp_path, destinations)
    async with listening(made):
        yield made


async def reconcile(uploader: Runtime[UploaderSettings]) -> None:
    """Compare all destinations now, and wait for the result."""
    station = uploader.settings.strongroom_station
    await until_none(uploader, _OPEN_COMPARISONS, station)
    before = await uploader.pool.fetchval(
        "UPDATE destinations SET reconcile_at = now() WHERE station = $1 RETURNING now()", station
    )
    await until_none(uploader, _NOT_COMPARED, station, before)


_OPEN_COMPARISONS = """
    SELECT count(*) FROM uploads JOIN destinations USING (destination_id)
    WHERE station = $1 AND purpose = 'reconcile' AND status IN ('waiting', 'failed')
"""
_DATED_AHEAD = """
    WITH clock AS (SELECT now() + interval '1 year' AS ahead),
    failed AS (UPDATE uploads SET retry_at = ahead, updated_at = ahead FROM clock)
    UPDATE destinations SET reconcile_at = ahead, reconciled_at = ahead FROM clock
"""
_COMPARED_AHEAD = "SELECT count(*) FROM destinations WHERE station = $1 AND reconciled_at > now()"
_NOT_COMPARED = """
    SELECT count(*) FROM destinations
    WHERE station = $1 AND (reconciled_at IS NULL OR reconciled_at <= $2)
"""


async def test_a_backup_arrives_at_every_destination(station: Station) -> None:
    """The only copy would be on the disk that may burn."""
    async with station.uploader() as uploader:
        await compared(uploader)
        backup = await station.back_up()
        told = await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
    assert {event.destination for event in told} == {"second", "third"}
    for name in ("second", "third"):
        assert station.names(name) == station.repository.names()
        for each in station.names(name):
            copy = (station.place(name) / each).read_bytes()
            assert copy == station.repository.directory.read(each)
    before = {"config"}
    assert told[0].objects == len(set(station.repository.names()) - before)


async def test_only_what_is_missing_is_sent(station: Station) -> None:
    """Each backup would cost the time and the money of all before it."""
    async with station.uploader() as uploader:
        await compared(uploader)
        first = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=first.backup_id)
        second = await station.back_up(packs=1)
        told = await station.hear(UploadCompleted, 2, backup_id=second.backup_id)
    assert [event.objects for event in told] == [4, 4]


async def test_an_event_that_comes_twice_acts_once(station: Station) -> None:
    """Reports and bills would count a copy that was never made."""
    async with station.uploader():
        backup = await station.back_up()
        await station.tell(backup)
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
        await station.tell(backup)
        await asyncio.sleep(0.5)
    assert len(await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)) == 2


async def test_a_backup_without_upload_goes_along_with_the_next(station: Station) -> None:
    """The copy's chain of snapshots would have gaps, like one that was tampered with."""
    async with station.uploader():
        quiet = await station.back_up(upload=False)
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
    assert station.names() == station.repository.names()
    assert not [
        each
        for each in station.heard
        if vars(each).get("backup_id") == quiet.backup_id
        and isinstance(each, UploadCompleted | UploadFailed)
    ]


async def rotten(station: Station, first: BackupCompleted) -> tuple[Path, bytes, str]:
    """Tell of a next backup, "rotten": its damaged pack, what that should be, its snapshot."""
    packs = set(station.repository.names("packs/"))
    snapshot_id = station.repository.add_backup()
    name, *_ = set(station.repository.names("packs/")) - packs
    path = station.repository.path / name
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    await station.tell(first.model_copy(update={"backup_id": "rotten", "snapshot_id": snapshot_id}))
    return path, good, snapshot_id


async def test_rot_is_not_sent_and_not_announced(station: Station) -> None:
    """A damaged pack would be copied, and its backup listed as safe in two places."""
    async with station.uploader() as uploader:
        await compared(uploader)
        first = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=first.backup_id)
        path, good, snapshot_id = await rotten(station, first)
        failed = await station.hear(UploadFailed, 2, backup_id="rotten")
        assert {event.failure.code for event in failed} == {"corrupt"}
        assert f"snapshots/{snapshot_id}" not in station.names()
        missing = set(station.repository.names("packs/")) - set(station.names(prefix="packs/"))
        assert missing == {f"{path.relative_to(station.repository.path)}"}
        path.write_bytes(good)
        await station.hear(UploadCompleted, 2, backup_id="rotten")
    assert station.names() == station.repository.names()


async def test_a_destination_that_is_away_holds_up_no_other(station: Station) -> None:
    """One broken disk would leave all backups without a second copy."""
    station.place("second").write_text("a file where a folder should be")
    async with station.uploader():
        backup = await station.back_up()
        (told,) = await station.hear(UploadCompleted, backup_id=backup.backup_id)
        assert told.destination == "third"


async def test_what_a_destination_has_lost_is_sent_again(station: Station) -> None:
    """A copy would be believed in that is no longer there."""
    async with station.uploader() as uploader:
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
        packs = station.names(prefix="packs/")
        (station.place() / packs[0]).unlink()
        (station.place() / packs[1]).write_bytes(b"cut")
        (station.place() / "packs" / "note").write_text("kept")
        await reconcile(uploader)
        await eventually(lambda: len(station.names(prefix="packs/")) == len(packs) + 1)
        await station.hear(AuditRecorded, event_type="destination_objects_lost")
    for name in station.repository.names():
        assert (station.place() / name).read_bytes() == station.repository.directory.read(name)
    audit = [each for each in station.heard if isinstance(each, AuditRecorded)]
    (lost,) = [each for each in audit if each.event_type == "destination_objects_lost"]
    assert lost.data == {"lost": 2, "names": packs[:2]}


async def test_what_was_dated_by_a_clock_that_was_ahead_waits_for_no_year(station: Station) -> None:
    """Lost: the second copy, and every comparison with it, until the year that the clock showed."""
    async with station.uploader(strongroom_upload_retry_seconds=(3600,)) as uploader:
        first = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=first.backup_id)
        path, good, _ = await rotten(station, first)
        await station.hear(UploadFailed, 2, backup_id="rotten")
        path.write_bytes(good)
        await uploader.pool.execute(_DATED_AHEAD)
        await station.hear(UploadCompleted, 2, backup_id="rotten")
        await until_none(uploader, _COMPARED_AHEAD, station.name)


async def test_a_rewrapped_key_is_sent_again(station: Station) -> None:
    """After a rotation the copy could be opened with the old key only."""
    async with station.uploader() as uploader:
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
        (key,) = station.repository.names("keys/")
        former = station.repository.directory.read(key)
        station.repository.rewrap(key)
        await reconcile(uploader)
    assert (station.place() / key).read_bytes() == station.repository.directory.read(key) != former


async def test_a_key_that_rots_here_stays_good_there(station: Station) -> None:
    """The last good copy of a key would be overwritten, or nothing more would be copied."""
    async with station.uploader():
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
        (key,) = station.repository.names("keys/")
        good = (station.place() / key).read_bytes()
        (station.repository.path / key).write_bytes(good[:-1])
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
    assert station.names() == station.repository.names()
    assert (station.place() / key).read_bytes() == good


async def test_an_emptied_destination_is_asked_about(station: Station) -> None:
    """With its disk not mounted, all backups would go to the system's own disk."""
    async with station.uploader():
        first = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=first.backup_id)
        station.place().rename(station.folder / "unmounted")
        station.place().mkdir(exist_ok=True)
        backup = await station.back_up()
        (failed, *_) = await station.hear(UploadFailed, backup_id=backup.backup_id)
        assert "Mount its disk" in failed.failure.remedy
        assert station.names() == []
        (station.folder / "unmounted").rename(station.place())  # in the place of the empty one
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
    assert station.names() == station.repository.names()


async def test_a_new_destination_gets_everything(station: Station) -> None:
    """Backups of the past would have one copy less than the settings promise."""
    async with station.uploader():
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
    moved = station.folder / "moved"
    station.destinations[0]["url"] = f"file://{moved}"
    station.destinations[1] = folder_destination(station.folder / "fourth")
    async with station.uploader():
        for name in ("moved", "fourth"):
            await eventually(lambda name=name: station.names(name) == station.repository.names())  # type: ignore[misc]


@pytest.mark.parametrize("mirrored", [True, False])
async def test_a_deletion_is_mirrored_only_where_asked_for(
    station: Station, *, mirrored: bool
) -> None:
    """Whoever deletes a backup by mistake, or on purpose, would reach every copy of it."""
    station.destinations = [
        folder_destination(station.folder / "second", mirror_deletions=mirrored)
    ]
    async with station.uploader() as uploader:
        backup, other = await station.back_up(), await station.back_up()
        for each in (backup, other):
            await station.hear(UploadCompleted, backup_id=each.backup_id)
        await station.delete(backup)
        if mirrored:
            gone = f"snapshots/{backup.snapshot_id}"
            await eventually(lambda: gone not in station.names())
        await reconcile(uploader)
    extra = set() if mirrored else {f"snapshots/{backup.snapshot_id}"}
    assert set(station.names()) == set(station.repository.names()) | extra


async def test_a_comparison_that_ends_just_now_is_not_begun_again(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole bucket would be listed twice; and a test that waits for one would meet the other."""
    async with station.uploader() as uploader:
        await compared(uploader)
        monkeypatch.setattr(schedule, "_TICK_SECONDS", 3600)
        await asyncio.sleep(0.3)  # the last tick
        await uploader.pool.execute(
            "UPDATE destinations SET reconcile_at = now() WHERE name = 'second' AND station = $1",
            station.name,
        )
        async with uploader.pool.acquire() as one, uploader.pool.acquire() as other:
            [upload] = await uploads.request_reconciles(one, station.name)
            async with one.transaction():
                await destinations.mark_reconciled(one, upload.destination_id, 3600)
                await uploads.complete(one, upload, Amount())
                asking = asyncio.create_task(uploads.request_reconciles(other, station.name))
                await asyncio.sleep(0.3)
            assert await asking == []


async def test_a_place_that_lost_a_first_upload_gets_all_of_it(station: Station) -> None:
    """The rest would be sent to another disk, and its snapshots listed without their packs."""
    async with station.uploader() as uploader:
        first = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=first.backup_id)
        await reconcile(uploader)  # one that began earlier would find again what is lost now
        await uploader.pool.execute(
            "UPDATE objects SET proven_at = NULL WHERE name = 'config' OR name LIKE 'snapshots/%'"
        )
        for path in station.place().rglob("*"):
            if path.is_file():
                path.unlink()
        backup = await station.back_up()
        await station.hear(UploadCompleted, 2, backup_id=backup.backup_id)
    assert station.names() == station.repository.names()
