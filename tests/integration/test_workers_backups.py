"""backup-worker as a process, on real servers: what it takes, refuses, writes and tells."""

import base64
from pathlib import Path

import pytest

from common.messages import (
    AuditRecorded,
    BackupCompleted,
    BackupFailed,
    BackupStarted,
    Envelope,
    GetRepositoryConfig,
    RepositoryConfig,
    seal,
)
from integration.station import Station, fill


async def test_a_first_backup(station: Station) -> None:
    """The way of every backup: a new repository gets its config, and the snapshot is recorded."""

    async def keyring(question: Envelope) -> Envelope:
        assert isinstance(question.data, GetRepositoryConfig)
        config = base64.b64encode(station.config).decode()
        return seal(RepositoryConfig(repository_id="", config=config), source="test")

    fill(station.source, 8)
    answering = await station.bus.answer(GetRepositoryConfig.queue, keyring)
    station.writer()
    command = station.backup()
    await station.send(command)
    completed = await station.event(BackupCompleted, 60, backup_id=command.backup_id)
    await answering.stop(1)

    (info,) = station.open().snapshots()
    assert (completed.snapshot_id, completed.counter) == (info.id, 1)
    assert completed.chain == f"{station.name}/manual"
    assert completed.size_bytes == 8 * 2**20
    assert completed.encrypted
    assert [component.name for component in completed.components] == ["files"]
    audit = await station.event(AuditRecorded, 60, entity_id=command.backup_id)
    assert (audit.action, audit.user_id, audit.station_id) == ("create", "tester", station.name)
    assert (audit.data["status"], audit.data["snapshot_id"]) == ("completed", info.id)
    modes = {path.stat().st_mode & 0o777 for path in station.repository.rglob("*")}
    assert modes == {0o600, 0o700}


async def test_the_same_command_twice_acts_once(station: Station) -> None:
    """Every bus delivers twice one day; two backups of one command would fork the lists."""
    station.begin_repository()
    fill(station.source, 8)
    station.writer()
    command = station.backup()
    await station.send(command, times=2)
    await station.event(BackupCompleted, 60, backup_id=command.backup_id)
    second = station.backup()
    await station.send(second)
    await station.event(BackupCompleted, 60, backup_id=second.backup_id)
    assert await station.bus.depth(command.address()) == 0
    assert len(station.events(BackupStarted, backup_id=command.backup_id)) == 1
    assert len(station.events(BackupCompleted, backup_id=command.backup_id)) == 1
    assert [info.counter for info in station.open().snapshots()] == [1, 2]


async def test_an_unknown_component_is_refused_by_name(station: Station) -> None:
    """A mistyped name must neither back up nothing nor be tried for hours."""
    station.begin_repository()
    fill(station.source, 1)
    station.writer()
    command = station.backup(components=("filse",))
    await station.send(command)
    failed = await station.event(BackupFailed, 60, backup_id=command.backup_id)
    assert failed.failure.code == "validation_error"
    assert "filse" in failed.failure.message
    assert "files" in failed.failure.remedy
    assert station.open().snapshots() == []


async def test_a_failed_component_fails_the_backup(station: Station) -> None:
    """Half a backup must not be listed as one, and what it wrote must go."""
    station.begin_repository()
    fill(station.source, 32)
    gone = '[components.gone]\nkind = "files"\npaths = ["/nowhere/at/all"]\n'
    station.configure((station.folder / "components.toml").read_text() + gone)
    station.writer()
    command = station.backup()
    await station.send(command)
    failed = await station.event(BackupFailed, 60, backup_id=command.backup_id)
    assert failed.failure.code == "capture_failed"
    assert "/nowhere/at/all" in failed.failure.message
    assert station.open().snapshots() == []
    assert station.litter() == []
    audit = await station.event(AuditRecorded, 60, entity_id=command.backup_id)
    assert (audit.success, audit.data["status"]) == (False, "failed")


@pytest.mark.parametrize("restart", [False, True])
async def test_a_removed_snapshot_raises_an_alarm(station: Station, restart: bool) -> None:
    """Whoever removes a snapshot from the storage must not get away with it unseen."""
    station.begin_repository()
    fill(station.source, 4)
    worker = station.writer()
    first = station.backup()
    await station.send(first)
    head = await station.event(BackupCompleted, 60, backup_id=first.backup_id)
    (station.repository / "snapshots" / head.snapshot_id).unlink()
    if restart:
        worker.end()
        station.writer()
    second = station.backup()
    await station.send(second)
    completed = await station.event(BackupCompleted, 60, backup_id=second.backup_id)
    assert completed.counter == 2
    assert any(head.snapshot_id in warning for warning in completed.warnings)
    alarm = await station.event(AuditRecorded, 60, risk_level="critical")
    assert alarm.event_type == "backup_chain_broken"
    assert alarm.data["missing_snapshot_id"] == head.snapshot_id
    (info,) = station.open().snapshots()
    assert info.previous == head.snapshot_id


async def test_a_worker_without_its_key_does_not_start(station: Station) -> None:
    """A worker whose every backup fails must be seen when it is set up, not a night later."""
    worker = station.writer(BACKUP_WRITER_KEY="")
    assert await worker.ended(60) == 2
    assert "BACKUP_WRITER_KEY is not set" in worker.words()


async def test_the_keys_stay_where_they_belong(station: Station) -> None:
    """A key in the environment of a job is a key in every tool that the job starts."""
    station.begin_repository()
    fill(station.source, 128)
    worker = station.writer(BACKUP_COMPRESSION_TYPE="gzip")
    command = station.backup()
    await station.send(command)
    child = await worker.child()
    with worker.paused(child):
        process = Path(f"/proc/{child}")
        shown = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        assert b"swk1-" not in shown
        assert b"DATABASE_URL" not in shown
    await station.event(BackupCompleted, 60, backup_id=command.backup_id)
    assert "swk1-" not in worker.log.read_text()
