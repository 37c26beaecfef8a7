"""What a request does: its command, its audit entry and its operation, all or nothing."""

import asyncio
from typing import Any

import httpx
import pytest

from common.messages import (
    BackupFailed,
    DeleteBackup,
    Failure,
    RestoreCompleted,
    RunBackup,
    RunRestore,
    VerifyBackup,
)
from integration.gateway.site import BACKUPS, RESTORES, Site, completed

pytestmark = pytest.mark.usefixtures("quiet")


async def test_a_backup_is_commanded_and_audited(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a request is answered and nothing happens, or happens unseen."""
    body = {"backup_name": "first", "components": ["files"], "backup_type": "incremental"}
    answer = await admin.post("/api/backups", json=body)
    assert answer.status_code == 202
    operation = answer.json()
    assert answer.headers["location"] == f"/api/operations/{operation['id']}"
    assert (operation["kind"], operation["state"]) == ("backup", "queued")
    command = await site.commanded(BACKUPS)
    assert command == RunBackup(
        backup_id=operation["id"],
        backup_name="first",
        backup_type="incremental",
        components=("files",),
    )
    (entry,) = await site.audited()
    assert (entry.event_type, entry.action, entry.entity_type) == (
        "backup_create",
        "create",
        "backup",
    )
    assert entry.entity_id == operation["id"]
    assert entry.station_id == "main"
    assert entry.data["backup_name"] == "first"
    assert entry.resource == "/api/backups"
    shown = await admin.get(f"/api/backups/{operation['id']}")
    assert shown.json()["state"] == "queued"


async def test_an_empty_body_backs_up_everything(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise the simplest request does not work."""
    answer = await admin.post("/api/backups")
    command = await site.commanded(BACKUPS)
    assert isinstance(command, RunBackup)
    assert command.components == ()
    assert command.backup_name.startswith("full-")
    assert answer.json()["request"]["backup_name"] == command.backup_name


async def test_a_name_is_taken_once(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a restore by name brings back the wrong backup."""
    body = {"backup_name": "nightly"}
    answers = await asyncio.gather(*(admin.post("/api/backups", json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"name_taken"}
    command = await site.commanded(BACKUPS)
    assert isinstance(command, RunBackup)
    failure = Failure(code="no_space", message="The disk is full.")
    failed = BackupFailed(
        backup_id=command.backup_id, backup_name="nightly", station="main", failure=failure
    )
    await site.tell(failed)
    await site.settled()
    assert (await admin.post("/api/backups", json=body)).status_code == 202


async def test_a_repeated_key_acts_once(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a client that lost the answer takes two backups."""
    headers = {"Idempotency-Key": "night-1"}
    body = {"backup_name": "keyed"}
    send = [admin.post("/api/backups", json=body, headers=headers) for _ in range(4)]
    answers = await asyncio.gather(*send)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    await site.commanded(BACKUPS)
    assert await site.workers.take(BACKUPS, 0.3) is None
    other = await admin.post("/api/backups", json={"backup_name": "else"}, headers=headers)
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    stranger = await site.log_in(await site.add_user(["operator"]))
    theirs = await stranger.post("/api/backups", json={"backup_name": "theirs"}, headers=headers)
    assert theirs.status_code == 202


async def test_prefer_wait_answers_with_the_outcome(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a script has to poll."""
    headers = {"Prefer": "respond-async, wait=60"}
    request = asyncio.create_task(admin.post("/api/backups", headers=headers))
    command = await site.commanded(BACKUPS)
    assert isinstance(command, RunBackup)
    await site.tell(completed(command.backup_id, command.backup_name))
    answer = await request
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.json()["state"] == "succeeded"
    assert answer.json()["result"]["size_bytes"] == 1000


async def test_prefer_wait_gives_up_in_time(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a request hangs for as long as the backup takes."""
    answer = await admin.post("/api/backups", headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"


async def test_a_restore_is_commanded_and_audited(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise what was asked for is not what is restored."""
    backup_id = await site.backup("good")
    body = {
        "components": ["database", "files"],
        "paths": ["etc/app.toml"],
        "target": "look-here",
        "databases": {"database": "app_restored"},
    }
    answer = await admin.post(f"/api/backups/{backup_id}/restore", json=body)
    assert answer.status_code == 202
    command = await site.commanded(RESTORES)
    assert command == RunRestore(
        restore_id=answer.json()["id"],
        backup_id=backup_id,
        snapshot_id="ab" * 32,
        components=("database", "files"),
        paths=("etc/app.toml",),
        target="look-here",
        databases={"database": "app_restored"},
    )
    (entry,) = await site.audited()
    assert (entry.event_type, entry.risk_level) == ("restore_start", "medium")
    assert entry.data["backup_id"] == backup_id
    listed = (await admin.get("/api/restores", params={"state": "queued"})).json()
    assert answer.json()["id"] in [restore["id"] for restore in listed["restores"]]


@pytest.mark.parametrize(
    "body",
    [
        {"target": "../etc"},
        {"target": "/etc"},
        {"paths": ["a/../../b"]},
        {"components": ["no such"]},
        {"components": ["absent"]},
        {"components": ["files", "files"]},
        {"databases": {"database": "postgres"}},
        {"databases": {"absent": "x"}},
        {"databases": {"database": 'x"; DROP DATABASE app'}},
        {"in_place": True, "target": "x"},
        {"in_pace": True},
    ],
    ids=str,
)
async def test_a_restore_that_makes_no_sense_is_refused(
    site: Site, admin: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    """Otherwise a typing error restores something else, or somewhere else."""
    backup_id = await site.backup()
    answer = await admin.post(f"/api/backups/{backup_id}/restore", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "validation_error"
    assert await site.workers.take(RESTORES, 0.1) is None


async def test_verify_and_delete_are_commanded(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a backup is never proven, or never goes."""
    backup_id = await site.backup()
    verify = await admin.post(f"/api/backups/{backup_id}/verify", json={"read_data": False})
    assert verify.status_code == 202
    command = await site.commanded(RESTORES)
    assert isinstance(command, VerifyBackup)
    assert (command.verification_id, command.read_data) == (verify.json()["id"], False)
    other = await site.backup()
    delete = await admin.delete(f"/api/backups/{other}", params={"reason": "too old"})
    assert delete.status_code == 202
    command = await site.commanded(RESTORES)
    assert isinstance(command, DeleteBackup)
    assert (command.backup_id, command.reason) == (other, "too old")
    assert [entry.event_type for entry in await site.audited()] == [
        "backup_verify",
        "backup_delete",
    ]


async def test_a_restore_that_worked_is_a_proof(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise nobody sees when a backup was last proven."""
    backup_id = await site.backup()
    restore_id = (await admin.post(f"/api/backups/{backup_id}/restore")).json()["id"]
    done = RestoreCompleted(
        restore_id=restore_id,
        backup_id=backup_id,
        target="/restores/x",
        components=(),
        entries=3,
        size_bytes=4,
        duration_seconds=0.5,
    )
    await site.tell(done)
    await site.settled()
    restore = (await admin.get(f"/api/restores/{restore_id}")).json()
    assert (restore["state"], restore["result"]["target"]) == ("succeeded", "/restores/x")
    assert (await admin.get(f"/api/backups/{backup_id}")).json()["restored_at"]
    assert (await admin.get("/api/backups/overview")).json()["last_restored_at"]


@pytest.mark.parametrize("path", ["/api/backups", "/api/restores", "/api/operations"])
async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient, path: str) -> None:
    """Otherwise a missing backup looks like a broken server."""
    absent = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"
    assert (await admin.get(f"{path}/{absent}")).status_code == 404
    assert (await admin.get(f"{path}/not-an-id")).status_code == 422
