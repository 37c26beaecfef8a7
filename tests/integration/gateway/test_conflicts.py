"""What a state allows: cancel what runs, touch only what is there, and nothing that is in use."""

import asyncio

import httpx
import pytest

from common.messages import (
    BackupCancelled,
    BackupStarted,
    CancelBackup,
    CancelRestore,
    RestoreCancelled,
)
from integration.gateway.site import Site

pytestmark = pytest.mark.usefixtures("quiet")


async def test_what_the_state_does_not_allow_is_a_conflict(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a running or failed backup is deleted or restored."""
    waiting = (await admin.post("/api/backups")).json()["id"]
    for method, path in (("POST", "/restore"), ("POST", "/verify"), ("DELETE", "")):
        answer = await admin.request(method, f"/api/backups/{waiting}{path}")
        assert answer.status_code == 409, path
    good = await site.backup()
    assert (await admin.post(f"/api/backups/{good}/cancel")).status_code == 409
    assert (await admin.post(f"/api/backups/{good}/restore")).status_code == 202
    assert (await admin.delete(f"/api/backups/{good}")).status_code == 409
    going = await site.backup()
    deletes = [admin.delete(f"/api/backups/{going}") for _ in range(3)]
    statuses = [answer.status_code for answer in await asyncio.gather(*deletes)]
    assert sorted(statuses) == [202, 409, 409]
    assert (await admin.post(f"/api/backups/{going}/restore")).status_code == 409


async def test_a_waiting_or_running_backup_is_cancelled(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a backup that blocks the till cannot be stopped."""
    backup_id = (await admin.post("/api/backups")).json()["id"]
    started = BackupStarted(backup_id=backup_id, backup_name="x", station="main", worker="w1")
    await site.tell(started)
    await site.settled()
    assert (await admin.post(f"/api/backups/{backup_id}/cancel")).status_code == 202
    assert await site.commanded("backup-worker.control") == CancelBackup(backup_id=backup_id)
    await site.tell(BackupCancelled(backup_id=backup_id, backup_name="x", station="main"))
    await site.settled()
    assert (await admin.get(f"/api/operations/{backup_id}")).json()["state"] == "cancelled"
    assert (await admin.post(f"/api/backups/{backup_id}/cancel")).status_code == 409


async def test_a_restore_is_cancelled_until_it_has_ended(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a restore into the wrong place cannot be stopped."""
    backup_id = await site.backup()
    restore_id = (await admin.post(f"/api/backups/{backup_id}/restore")).json()["id"]
    assert (await admin.post(f"/api/restores/{restore_id}/cancel")).status_code == 202
    command = await site.commanded("restore-worker.control")
    assert command == CancelRestore(operation_id=restore_id)
    await site.tell(RestoreCancelled(restore_id=restore_id, backup_id=backup_id))
    await site.settled()
    assert (await admin.get(f"/api/restores/{restore_id}")).json()["state"] == "cancelled"
    assert (await admin.post(f"/api/restores/{restore_id}/cancel")).status_code == 409
    assert (await admin.post(f"/api/restores/{backup_id}/cancel")).status_code == 404


async def test_a_verification_is_cancelled_so_that_its_backup_can_go(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a verification of days holds up a deletion."""
    backup_id = await site.backup()
    id_ = (await admin.post(f"/api/backups/{backup_id}/verify")).json()["id"]
    assert (await admin.post(f"/api/restores/{id_}/cancel")).status_code == 404
    assert (await admin.post(f"/api/verifications/{id_}/cancel")).status_code == 202
    command = await site.commanded("restore-worker.control")
    assert command == CancelRestore(operation_id=id_)
    assert (await admin.delete(f"/api/backups/{backup_id}")).status_code == 409
    await site.tell(RestoreCancelled(restore_id=id_, backup_id=backup_id))
    await site.settled()
    assert (await admin.delete(f"/api/backups/{backup_id}")).status_code == 202
