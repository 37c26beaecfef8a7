"""Lists fed by events: late, repeated, out of order, and for what was never asked for here."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import httpx
import pytest

from common.messages import (
    BackupDeleted,
    BackupStarted,
    BackupVerified,
    DeletionFailed,
    Failure,
    RestoreCancelled,
    RestoreFailed,
    RestoreStarted,
    UploadCompleted,
    UploadFailed,
    VerificationFailed,
    uuid7,
)
from integration.gateway.site import Site, completed

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FAILURE = Failure(code="no_space", message="The disk is full.", remedy="Make room.")


@pytest.fixture(scope="module")
async def viewer(site: Site) -> httpx.AsyncClient:
    """Somebody who may only look."""
    return await site.log_in(await site.add_user(["viewer"]))


def life(backup_id: str) -> list[BackupStarted | object]:
    """What is told of a backup in the order in which it happens."""
    return [
        BackupStarted(backup_id=backup_id, backup_name="n", station="main", worker="w1"),
        BackupStarted(backup_id=backup_id, backup_name="n", station="main", worker="w2", attempt=2),
        completed(backup_id, "n"),
    ]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_the_order_of_events_does_not_matter(
    site: Site, viewer: httpx.AsyncClient, order: tuple[int, ...]
) -> None:
    """Otherwise a list shows as running what is there, and nobody can restore it."""
    backup_id = str(uuid7())
    events = life(backup_id)
    for place in (*order, *order):
        await site.tell(events[place], NOON + timedelta(minutes=place))  # type: ignore[arg-type]
    await site.settled()
    backup = (await viewer.get(f"/api/backups/{backup_id}")).json()
    assert (backup["state"], backup["name"], backup["components"]) == (
        "completed",
        "n",
        ["database", "files"],
    )
    operation = (await viewer.get(f"/api/operations/{backup_id}")).json()
    assert (operation["state"], operation["worker"], operation["attempt"]) == (
        "succeeded",
        "w2",
        2,
    )
    assert operation["started_at"].startswith("2026-11-21T12:00")
    assert operation["finished_at"].startswith("2026-11-21T12:02")


async def test_a_redelivered_event_acts_once(site: Site, viewer: httpx.AsyncClient) -> None:
    """Otherwise numbers drift with every lost acknowledgement."""
    backup_id = str(uuid7())
    envelope = await site.tell(completed(backup_id, "once"))
    await site.workers.publish(envelope)
    await site.settled()
    listed = (await viewer.get("/api/backups", params={"name": "once"})).json()
    assert listed["total"] == 1


async def test_a_deleted_backup_leaves_the_list_and_stays_known(
    site: Site, viewer: httpx.AsyncClient
) -> None:
    """Otherwise a backup is listed that cannot be restored."""
    backup_id, deletion_id = await site.backup("goes"), str(uuid7())
    await site.tell(
        BackupDeleted(deletion_id=deletion_id, backup_id=backup_id, snapshot_id="ab", reason="old")
    )
    await site.settled()
    listed = (await viewer.get("/api/backups", params={"name": "goes"})).json()
    assert listed["total"] == 0
    deleted: dict[str, str | list[str]] = {"name": "goes", "state": ["deleted", "failed"]}
    assert (await viewer.get("/api/backups", params=deleted)).json()["total"] == 1
    assert (await viewer.get(f"/api/operations/{deletion_id}")).json()["result"]["reason"] == "old"


async def test_verification_and_copies_are_shown(site: Site, viewer: httpx.AsyncClient) -> None:
    """Otherwise damage that was found, or a copy that is missing, is not seen."""
    backup_id = await site.backup()
    found = BackupVerified(
        verification_id=str(uuid7()),
        backup_id=backup_id,
        ok=False,
        objects=3,
        read_bytes=9,
        duration_seconds=1.0,
        findings=("packs/ab/cd is damaged",),
    )
    await site.tell(found)
    copied = UploadCompleted(
        backup_id=backup_id, destination="second", objects=3, size_bytes=9, duration_seconds=1
    )
    missing = UploadFailed(backup_id=backup_id, destination="second", failure=FAILURE)
    await site.tell(copied, NOON + timedelta(minutes=1))
    await site.tell(missing, NOON)
    await site.tell(
        UploadFailed(backup_id=backup_id, destination="third", failure=FAILURE, retry_at=NOON)
    )
    await site.settled()
    backup = (await viewer.get(f"/api/backups/{backup_id}")).json()
    assert backup["verified_ok"] is False
    copies = {copy["destination"]: copy for copy in backup["copies"]}
    assert copies["second"]["state"] == "completed"
    assert copies["third"]["failure"]["code"] == "no_space"
    operation = (await viewer.get(f"/api/operations/{found.verification_id}")).json()
    assert operation["result"]["findings"] == ["packs/ab/cd is damaged"]
    overview = (await viewer.get("/api/backups/overview")).json()
    assert overview["damaged"] == 1
    health = (await viewer.get("/api/v2/enhanced-backup/health")).json()["data"]
    assert health["status"] == "degraded"
    assert set(health["warnings"]) == {"verification", "uploads"}


@pytest.mark.parametrize("kind", ["restore", "verification", "deletion", "cancelled"])
async def test_an_operation_that_ends_badly_says_why(
    site: Site, viewer: httpx.AsyncClient, kind: str
) -> None:
    """Otherwise a user waits for ever, or has to read a worker's log."""
    backup_id, id_ = await site.backup(), str(uuid7())
    await site.tell(RestoreStarted(restore_id=id_, backup_id=backup_id, worker="w"))
    events = {
        "restore": RestoreFailed(restore_id=id_, backup_id=backup_id, failure=FAILURE),
        "verification": VerificationFailed(
            verification_id=id_, backup_id=backup_id, failure=FAILURE
        ),
        "deletion": DeletionFailed(deletion_id=id_, backup_id=backup_id, failure=FAILURE),
        "cancelled": RestoreCancelled(restore_id=id_, backup_id=backup_id),
    }
    await site.tell(events[kind])
    await site.settled()
    operation = (await viewer.get(f"/api/operations/{id_}")).json()
    expected = "cancelled" if kind == "cancelled" else "failed"
    assert operation["state"] == expected
    if expected == "failed":
        assert operation["failure"]["remedy"] == "Make room."


async def test_text_that_cannot_be_stored_is_refused_or_replaced(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a NUL in a request is a server error, and one in an event a dead letter."""
    backup_id, restore_id = await site.backup(), str(uuid7())
    deleting = await admin.delete(f"/api/backups/{backup_id}", params={"reason": "a\0b"})
    assert deleting.status_code == 422
    login = {"username": "a\0b", "password": "x"}
    assert (await site.anonymous().post("/api/auth/login", json=login)).status_code == 422
    assert (await site.anonymous().get("/api/backups/%00")).status_code == 401
    failure = Failure(code="restore_failed", message="a\0b cannot be written.")
    await site.tell(RestoreFailed(restore_id=restore_id, backup_id=backup_id, failure=failure))
    await site.settled()
    shown = (await admin.get(f"/api/operations/{restore_id}")).json()
    assert shown["failure"]["message"] == "a\ufffdb cannot be written."


async def test_lists_are_paged_and_filtered(site: Site, viewer: httpx.AsyncClient) -> None:
    """Otherwise a console with a thousand backups shows the first fifty."""
    for number in range(5):
        await site.tell(
            completed(str(uuid7()), f"page-{number}", station="elsewhere"),
            NOON + timedelta(minutes=number),
        )
    await site.settled()
    wanted: dict[str, str | int] = {"station": "elsewhere", "limit": 2, "offset": 1}
    page = (await viewer.get("/api/backups", params=wanted)).json()
    assert [backup["name"] for backup in page["backups"]] == ["page-3", "page-2"]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    wrong: list[dict[str, str | int]] = [
        {"limit": 0},
        {"limit": 1000},
        {"offset": -1},
        {"state": "gone"},
        {"page": 2},
    ]
    for bad in wrong:
        assert (await viewer.get("/api/backups", params=bad)).status_code == 422


async def test_numbers_add_up(site: Site, viewer: httpx.AsyncClient) -> None:
    """Otherwise the one page that says whether all is well is wrong."""
    backup_id = await site.backup()
    copied = UploadCompleted(
        backup_id=backup_id, destination="second", objects=3, size_bytes=9, duration_seconds=1
    )
    await site.tell(copied)
    await site.settled()
    overview = (await viewer.get("/api/backups/overview")).json()
    assert overview["backups"]["completed"] * 1000 == overview["size_bytes"]
    assert overview["backups"]["completed"] * 200 == overview["stored_bytes"]
    assert overview["destinations"][0]["destination"] == "second"
    stats = (await viewer.get("/api/v2/enhanced-backup/stats")).json()
    assert stats["status_code"] == 200
    assert stats["data"] == overview
