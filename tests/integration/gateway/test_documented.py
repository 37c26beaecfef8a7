"""The documented /api/v2 family, the headers, the limits and the documentation pages."""

import asyncio
from typing import Any

import httpx
import pytest

from common.messages import AuditPage, Envelope, QueryAudit, RunBackup, RunRestore, seal
from integration.gateway.site import Site, completed

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
    "referrer-policy": "strict-origin-when-cross-origin",
    "content-security-policy": "default-src 'self'",
}
V2 = "/api/v2/enhanced-backup"


async def test_the_documented_way_from_backup_to_restore(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise an application that uses the documented API has no backups."""
    body = {
        "backup_name": "daily_backup_2024_01_15",
        "components": ["database", "files", "config"],
        "encrypt": True,
        "upload_to_cloud": True,
    }
    waiting = admin.post(f"{V2}/create", json=body, headers={"Prefer": "wait=60"})
    request = asyncio.create_task(waiting)
    command = await site.commanded("backup-worker.commands.main")
    assert isinstance(command, RunBackup)
    assert command.components == ("database", "files", "config")
    await site.tell(completed(command.backup_id, command.backup_name))
    created = (await request).json()
    assert set(created) == {"status_code", "message", "data"}
    assert (created["status_code"], created["data"]["status"]) == (200, "success")
    assert created["data"]["backup_name"] == "daily_backup_2024_01_15"

    listed = (await admin.get(f"{V2}/list")).json()
    assert listed["data"]["backups"][0]["name"] == "daily_backup_2024_01_15"
    verify = await admin.post(f"{V2}/verify/daily_backup_2024_01_15")
    assert (verify.status_code, verify.json()["status_code"]) == (202, 202)
    restore = await admin.post(
        f"{V2}/restore",
        json={
            "backup_name": "daily_backup_2024_01_15",
            "components": ["database"],
            "decrypt": True,
        },
    )
    assert restore.status_code == 202
    assert restore.json()["data"]["status"] == "accepted"
    await site.commanded("restore-worker.commands.main")
    wanted = await site.commanded("restore-worker.commands.main")
    assert isinstance(wanted, RunRestore)
    assert (wanted.backup_id, wanted.components) == (command.backup_id, ("database",))


async def test_what_the_repository_does_not_do_is_refused(admin: httpx.AsyncClient) -> None:
    """Otherwise a user believes that a backup is not encrypted, or that one is."""
    answer = await admin.post(f"{V2}/create", json={"encrypt": False})
    assert answer.status_code == 422
    assert "encrypted" in answer.json()["error"]["message"]
    absent = await admin.post(f"{V2}/restore", json={"backup_name": "no-such"})
    assert absent.status_code == 404


async def test_the_configuration_is_shown(admin: httpx.AsyncClient) -> None:
    """Otherwise nobody sees whether backups are encrypted."""
    shown = (await admin.get(f"{V2}/config")).json()["data"]
    assert shown["encryption_enabled"] is True
    assert shown["encryption_algorithm"] == "AES-256-GCM"


async def test_audit_logs_are_asked_for(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise the audit log cannot be read where it is documented."""
    asked: list[QueryAudit] = []
    assert (await admin.get("/api/v2/security/audit-logs")).status_code == 503

    async def answer(question: Envelope) -> Envelope:
        assert isinstance(question.data, QueryAudit)
        asked.append(question.data)
        entry = {"event_type": "login_attempt", "success": True}
        return seal(AuditPage(entries=(entry,), total=7), source="audit-sink")

    await site.workers.answer("audit-sink.questions", answer)
    params: dict[str, Any] = {
        "start_date": "2026-11-01",
        "end_date": "2026-11-30",
        "event_type": "login_attempt",
        "risk_level": "low",
        "limit": 10,
        "offset": 5,
    }
    shown = (await admin.get("/api/v2/security/audit-logs", params=params)).json()
    assert shown["data"]["total"] == 7
    assert shown["data"]["logs"][0]["event_type"] == "login_attempt"
    assert asked[0].start is not None
    assert asked[0].end is not None
    assert asked[0].start.isoformat() == "2026-11-01T00:00:00+00:00"
    assert asked[0].end.isoformat() == "2026-12-01T00:00:00+00:00"
    assert (asked[0].limit, asked[0].offset) == (10, 5)
    wrong = {"start_date": "2026-11-30", "end_date": "2026-11-01"}
    answer_ = await admin.get("/api/v2/security/audit-logs", params=wrong)
    assert answer_.status_code == 422


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/api/backups", "/nothing", "/readyz"])
async def test_every_answer_has_the_documented_headers(site: Site, path: str) -> None:
    """Otherwise a page can be framed or a file sniffed."""
    answer = await site.anonymous().get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_too_large_a_request_is_refused(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a body of a gigabyte is read into memory."""
    body = {"components": ["x" * 30_000]}
    assert (await admin.post("/api/backups", json=body)).status_code == 413
    assert (await site.anonymous().post("/api/backups", json=body)).status_code == 413


@pytest.mark.parametrize("asset", ["swagger-ui-bundle.js", "swagger-ui.css", "docs.js", "docs.css"])
async def test_the_documentation_needs_nothing_from_elsewhere(site: Site, asset: str) -> None:
    """Otherwise the documentation is blank without the internet, or under its own policy."""
    client = site.anonymous()
    page = (await client.get("/docs")).text
    assert f'"/docs/{asset}"' in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script>" not in page
    assert "style=" not in page
    assert (await client.get(f"/docs/{asset}")).status_code == 200
    assert (await client.get("/docs/../settings.py")).status_code == 404


async def test_the_document_describes_every_answer(site: Site) -> None:
    """Otherwise a generated client does not understand an error."""
    document = (await site.anonymous().get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"], where
            assert {"422", "500", "503"} <= set(operation["responses"]), where
            if "x-permission" in operation:
                assert {"401", "403"} <= set(operation["responses"]), where
                assert operation["security"] == [{"session": []}, {"cookie": []}], where
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description") or name.startswith(("Body_", "Enveloped_")), name
    assert document["components"]["securitySchemes"]["session"]["scheme"] == "bearer"


async def test_readiness_names_what_is_missing(site: Site) -> None:
    """Otherwise an orchestrator sends requests to a gateway that cannot work."""
    client = site.anonymous()
    assert (await client.get("/readyz")).json() == {"status": "ready", "missing": []}

    async def gone() -> str:
        return "secret details"

    site.runtime.health.add_check("bus", gone)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "missing": ["bus"]}
