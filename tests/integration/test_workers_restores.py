"""restore-worker as a process, on real servers: what comes back, and what never gets touched."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from common.messages import (
    AuditRecorded,
    BackupCompleted,
    BackupDeleted,
    BackupVerified,
    CancelRestore,
    DeleteBackup,
    RestoreCancelled,
    RestoreCompleted,
    RestoreFailed,
    RestoreStarted,
    RunRestore,
    VerifyBackup,
    uuid7,
)
from integration.mishaps import lease_over, running
from integration.station import Station, fill
from nasty_tree import make_nasty_tree
from trees import compare

pytestmark = pytest.mark.slow

REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"target": "../outside"}, "validation_error"),
    ({"target": "/tmp/outside"}, "validation_error"),
    ({"target": "taken"}, "conflict"),
    ({"target": "x", "in_place": True}, "validation_error"),
    ({"databases": {"files": "x"}, "in_place": True}, "validation_error"),
    ({"components": ("filse",)}, "not_found"),
    ({"databases": {"filse": "x"}}, "validation_error"),
)


async def backed_up(station: Station) -> BackupCompleted:
    """A backup of what is in the source now."""
    if not (station.repository / "config").exists():
        station.begin_repository()
        station.writer()
    command = station.backup()
    await station.send(command)
    return await station.event(BackupCompleted, 60, backup_id=command.backup_id)


def restore_of(backup: BackupCompleted, **fields: Any) -> RunRestore:
    return RunRestore(
        restore_id=str(uuid7()),
        backup_id=backup.backup_id,
        snapshot_id=backup.snapshot_id,
        station=backup.station,
        **fields,
    )


def restored(station: Station, target: str) -> Path:
    """Where the source is found again below a target."""
    return station.restores / target / "files" / station.source.relative_to("/")


async def test_what_comes_back_is_what_was(station: Station) -> None:
    """The whole purpose."""
    make_nasty_tree(station.source)
    backup = await backed_up(station)
    station.reader()
    command = restore_of(backup, target="drill")
    await station.send(command)
    done = await station.event(RestoreCompleted, 60, restore_id=command.restore_id)
    assert compare(station.source, restored(station, "drill")) == []
    assert done.target == "drill"
    assert done.entries > 50
    assert [component.kind for component in done.components] == ["files"]
    assert [path.name for path in station.restores.iterdir()] == ["drill"]
    started, ended = await audited(station, command.backup_id, "restore", 2)
    assert started.data["options"]["target"] == "drill"
    assert (ended.data["status"], ended.data["files_restored"]) == ("completed", done.entries)


async def audited(station: Station, backup_id: str, action: str, count: int) -> list[AuditRecorded]:
    await station.event(AuditRecorded, 60, count=count, entity_id=backup_id, action=action)
    return station.events(AuditRecorded, entity_id=backup_id, action=action)


async def test_chosen_paths(station: Station) -> None:
    """One lost file must not need the room of everything."""
    fill(station.source, 4)
    (station.source / "wanted").write_text("this one")
    backup = await backed_up(station)
    station.reader()
    path = str(station.source / "wanted")
    command = restore_of(backup, target="one", paths=(path, "/not/there"))
    await station.send(command)
    done = await station.event(RestoreCompleted, 60, restore_id=command.restore_id)
    assert [found.name for found in restored(station, "one").iterdir()] == ["wanted"]
    assert any("/not/there" in warning for warning in done.warnings)
    command = restore_of(backup, target="none", paths=("/not/there",))
    await station.send(command)
    failed = await station.event(RestoreFailed, 60, restore_id=command.restore_id)
    assert failed.failure.code == "not_found"
    assert not (station.restores / "none").exists()


async def test_restores_that_are_refused(station: Station) -> None:
    """A restore must never leave its folder, nor touch what somebody else has put there."""
    fill(station.source, 1)
    backup = await backed_up(station)
    precious = station.restores / "taken" / "precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("the only copy")
    station.reader()
    for fields, code in REFUSED:
        command = restore_of(backup, **fields)
        await station.send(command)
        failed = await station.event(RestoreFailed, 60, restore_id=command.restore_id)
        assert failed.failure.code == code, fields
    assert precious.read_text() == "the only copy"
    assert [path.name for path in station.restores.iterdir()] == ["taken"]


async def test_damage_is_found_and_the_rest_comes_back(station: Station) -> None:
    """One rotten block must cost no more than what is in it, and must be told."""
    fill(station.source, 80)
    (station.source / "small").write_text("still fine")
    backup = await backed_up(station)
    pack = max((station.repository / "packs").rglob("?" * 64), key=lambda path: path.stat().st_size)
    with pack.open("r+b") as file:
        file.seek(pack.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    station.reader()
    check = VerifyBackup(
        verification_id=str(uuid7()),
        backup_id=backup.backup_id,
        snapshot_id=backup.snapshot_id,
        station=station.name,
    )
    await station.send(check)
    verified = await station.event(BackupVerified, 60, verification_id=check.verification_id)
    assert not verified.ok
    assert any(pack.name in finding and "block-" in finding for finding in verified.findings)
    command = restore_of(backup, target="drill")
    await station.send(command)
    failed = await station.event(RestoreFailed, 60, restore_id=command.restore_id)
    assert failed.failure.code == "corrupt"
    assert "drill.incomplete" in failed.failure.message
    assert (restored(station, "drill.incomplete") / "small").read_text() == "still fine"
    assert not (station.restores / "drill").exists()


async def test_verify_and_delete(station: Station) -> None:
    """A deletion must be remembered with its reason, and must not look like an attack later."""
    fill(station.source, 4)
    backup = await backed_up(station)
    station.reader()
    ids = {"backup_id": backup.backup_id, "snapshot_id": backup.snapshot_id}
    check = VerifyBackup(verification_id=str(uuid7()), station=station.name, **ids)
    await station.send(check)
    verified = await station.event(BackupVerified, 60, verification_id=check.verification_id)
    assert (verified.ok, verified.findings) == (True, ())
    assert verified.read_bytes > 4 * 2**20
    removal = DeleteBackup(
        deletion_id=str(uuid7()), station=station.name, reason="retention", **ids
    )
    await station.send(removal)
    await station.event(BackupDeleted, 60, deletion_id=removal.deletion_id)
    assert station.open().snapshots() == []
    (entry,) = await audited(station, backup.backup_id, "delete", 1)
    assert (entry.data["reason"], entry.user_id) == ("retention", "tester")
    after = await backed_up(station)
    assert (after.counter, after.warnings) == (2, ())
    assert station.events(AuditRecorded, risk_level="critical") == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_a_restore_that_is_ended_is_succeeded(station: Station, end: signal.Signals) -> None:
    """On the day of the restore the machine may fail again, or be needed for something else."""
    fill(station.source, 256)
    backup = await backed_up(station)
    first = station.reader(SHUTDOWN_GRACE_SECONDS="0.1")
    command = restore_of(backup, target="drill")
    await station.send(command)
    child = await first.child()
    with first.paused(child):
        while not (found := list(station.restores.rglob("block-00000"))):
            os.kill(child, signal.SIGCONT)
            await asyncio.sleep(0.05)
            os.kill(child, signal.SIGSTOP)
        before = found[0].stat().st_ino
        station.reader()
        first.signal(end)
        await first.ended(60)
    if end == signal.SIGKILL:
        await lease_over(station, "restore_worker", first.process.pid, child)
    await station.event(RestoreCompleted, 60, restore_id=command.restore_id)
    assert compare(station.source, restored(station, "drill")) == []
    assert (restored(station, "drill") / "block-00000").stat().st_ino == before
    assert [path.name for path in station.restores.iterdir()] == ["drill"]
    attempts = [1, 2] if end == signal.SIGKILL else [1, 1]
    assert [event.attempt for event in station.events(RestoreStarted)] == attempts


async def test_a_cancelled_restore_leaves_nothing(station: Station) -> None:
    """A restore that was stopped must not look like one that has ended."""
    fill(station.source, 256)
    backup = await backed_up(station)
    reader = station.reader()
    command = restore_of(backup, target="drill")
    await station.send(command)
    child = await reader.child()
    with reader.paused(child):
        await station.send(CancelRestore(operation_id=command.restore_id))
        await station.event(RestoreCancelled, 60, restore_id=command.restore_id)
    assert not running(child)
    assert list(station.restores.iterdir()) == []
