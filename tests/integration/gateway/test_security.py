"""The documented /api/v2/security family over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from common.messages import AuditPage, Envelope, seal
from integration.gateway.site import SECRET, Site, running

V2 = "/api/v2/security"
FORMER = "aG7dK2mW9xQ4tZ6vB1nS8jL3pY5rC0fH"


async def test_the_documented_password_example(admin: httpx.AsyncClient) -> None:
    """Otherwise an application that follows the document gets something else."""
    body = {"password": "MySecurePassword123!"}
    assert (await admin.post(f"{V2}/validate/password", json=body)).json() == {
        "status_code": 200,
        "message": "Password validation completed",
        "data": {"valid": True, "errors": [], "warnings": [], "strength_score": 85},
    }
    named = {"password": "Kowalska-9$mQ2vLp7", "user_name": "kowalska"}
    found = (await admin.post(f"{V2}/validate/password", json=named)).json()["data"]
    assert found["errors"] == ["Password contains the user name"]


async def test_the_documented_input_example(admin: httpx.AsyncClient) -> None:
    """Otherwise the documented check lets a script through, or refuses O'Brien."""
    body = {"input_data": "<script>alert('xss')</script>", "max_length": 1000}
    found = (await admin.post(f"{V2}/validate/input", json=body)).json()["data"]
    assert (found["valid"], found["threats"]) == (False, ["xss"])
    assert "Suspicious content detected" in found["errors"]
    fine = {"input_data": "O'Brien, select a table; drop me a line"}
    found = (await admin.post(f"{V2}/validate/input", json=fine)).json()["data"]
    assert (found["valid"], found["errors"], found["warnings"]) == (True, [], [])
    long = {"input_data": "x" * 11, "max_length": 10}
    found = (await admin.post(f"{V2}/validate/input", json=long)).json()["data"]
    assert found["errors"] == ["Input too long"]


async def test_input_is_made_harmless(admin: httpx.AsyncClient) -> None:
    """Otherwise an application stores what it asked to have cleaned."""
    body = {"input_data": "<b>O'Brien</b><script>x</script>"}
    found = (await admin.post(f"{V2}/sanitize", json=body)).json()["data"]
    assert found == {"sanitized": "<b>O'Brien</b>", "changed": True}
    long = await admin.post(f"{V2}/sanitize", json={"input_data": "x" * 10_001})
    assert (long.status_code, long.json()["error"]["message"]) == (422, "Input too long")


async def upload(client: httpx.AsyncClient, name: str, content: bytes) -> httpx.Response:
    file = {"file": (name, content, "application/pdf")}
    data = {"content_type": "application/pdf"}
    return await client.post(f"{V2}/validate/file", files=file, data=data)


async def announce(client: httpx.AsyncClient, size: int) -> int:
    """The answer to the mere announcement of so large a file."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    lines = [f"POST {V2}/validate/file HTTP/1.1", "Host: localhost", f"Content-Length: {size}"]
    lines += [f"Authorization: {client.headers['authorization']}", "", ""]
    writer.write("\r\n".join(lines).encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def test_files_are_looked_into(admin: httpx.AsyncClient) -> None:
    """Otherwise a program passes for a document."""
    good = (await upload(admin, "document.pdf", b"%PDF-1.7\n%\xe2\xe3\n")).json()["data"]
    assert good == {
        "valid": True,
        "errors": [],
        "warnings": [],
        "filename": "document.pdf",
        "file_size": 13,
        "detected_type": "application/pdf",
    }
    bad = (await upload(admin, "document.pdf.exe", b"#!/bin/sh\n")).json()["data"]
    assert not bad["valid"]
    assert "File type not allowed" in bad["errors"]


async def test_files_have_a_limit_of_their_own(
    site: Site, admin: httpx.AsyncClient, database_url: Callable[[str], str]
) -> None:
    """Otherwise documents are refused by the limit of requests, or fill the disk."""
    assert (await upload(admin, "a.pdf", b"%PDF-1.7\n" + bytes(100_000))).status_code == 200
    async with running(database_url("gateway"), security_max_file_size_mb=1) as small:
        client = await small.log_in()
        over = await upload(client, "a.pdf", b"%PDF-1.7\n" + bytes(1 << 20))
        assert over.json()["data"]["errors"] == ["File too large"]
        assert await announce(client, 2 << 20) == 413


async def test_tokens_and_keys_are_random(admin: httpx.AsyncClient) -> None:
    """Otherwise they can be guessed."""
    made = [(await admin.post(f"{V2}/generate/token")).json()["data"]["token"] for _ in range(2)]
    assert len(set(made)) == 2
    assert all(len(token) == 64 and token.isalnum() for token in made)
    long = await admin.post(f"{V2}/generate/token", json={"length": 100})
    assert len(long.json()["data"]["token"]) == 100
    key = (await admin.post(f"{V2}/generate/api-key", json={"prefix": "till"})).json()["data"]
    assert key["api_key"].startswith("till_")
    assert len(key["api_key"]) == 69


async def seal_up(client: httpx.AsyncClient, text: str, purpose: str = "default") -> str:
    body = {"data": text, "purpose": purpose}
    answer = await client.post(f"{V2}/encrypt", json=body)
    return str(answer.json()["data"]["encrypted_data"])


async def test_what_was_encrypted_comes_back_for_its_purpose_alone(
    admin: httpx.AsyncClient,
) -> None:
    """Otherwise data is lost, or one application reads another's."""
    token = await seal_up(admin, "Zażółć 🎉", "till")
    body = {"encrypted_data": token, "purpose": "till"}
    found = (await admin.post(f"{V2}/decrypt", json=body)).json()["data"]
    assert (found["data"], found["outdated"]) == ("Zażółć 🎉", False)
    for wrong in (
        {"encrypted_data": token},
        {"encrypted_data": token[:-20] + token[-20:].swapcase(), "purpose": "till"},
        {"encrypted_data": "ż", "purpose": "till"},
    ):
        answer = await admin.post(f"{V2}/decrypt", json=wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "decryption_failed")


async def test_a_former_key_still_opens(
    site: Site, admin: httpx.AsyncClient, database_url: Callable[[str], str]
) -> None:
    """Otherwise a rotation loses everything that was encrypted before it."""
    token = await seal_up(admin, "old")
    keys = f"{FORMER},{SECRET}"
    async with running(database_url("gateway"), security_encryption_key=keys) as rotated:
        client = await rotated.log_in()
        found = await client.post(f"{V2}/decrypt", json={"encrypted_data": token})
        assert found.json()["data"]["data"] == "old"
        assert found.json()["data"]["outdated"] is True
        new = await seal_up(client, "new")
    assert (await admin.post(f"{V2}/decrypt", json={"encrypted_data": new})).status_code == 422


async def test_without_a_key_encryption_says_what_is_missing(
    database_url: Callable[[str], str],
) -> None:
    """Otherwise data is encrypted under a key that nobody has."""
    async with running(database_url("gateway"), security_encryption_key="") as bare:
        client = await bare.log_in()
        answer = await client.post(f"{V2}/encrypt", json={"data": "x"})
        assert answer.status_code == 503
        assert "SECURITY_ENCRYPTION_KEY" in answer.json()["error"]["details"]["remedy"]


@pytest.fixture
async def fresh(database_url: Callable[[str], str]) -> AsyncIterator[Site]:
    """A gateway whose numbers begin at zero."""
    async with running(database_url("gateway"), security_max_login_attempts=2) as found:
        await found.runtime.pool.execute("DELETE FROM security_counts")
        await found.runtime.pool.execute("DELETE FROM login_failures")
        yield found


async def test_statistics_count_what_was_refused(fresh: Site) -> None:
    """Otherwise an attack is not seen in the numbers."""
    client = await fresh.log_in()
    silent = (await client.get(f"{V2}/stats")).json()["data"]
    assert silent["security_events_today"] is None

    async def answer(question: Envelope) -> Envelope:
        return seal(AuditPage(entries=(), total=150), source="audit-sink")

    await fresh.workers.answer("audit-sink.questions", answer)
    for _ in range(3):
        wrong = {"username": "somebody", "password": "wrong"}
        await fresh.anonymous().post("/api/auth/login", json=wrong)
    await client.post(f"{V2}/validate/input", json={"input_data": "a\0"})
    await upload(client, "a.exe", b"x")
    found = (await client.get(f"{V2}/stats")).json()
    assert found["message"] == "Security statistics retrieved successfully"
    data = found["data"]
    assert data["failed_login_attempts"] == 2
    assert (data["locked_accounts"], data["account_lockouts"]) == (1, 1)
    # The other gateway on this database may write its own numbers meanwhile.
    assert data["input_validation_failures"] >= 1
    assert data["file_upload_rejections"] >= 1
    assert data["security_events_today"] == 150
    assert data["config"]["max_login_attempts"] == 2


@pytest.mark.usefixtures("quiet")
async def test_what_looks_like_an_attack_is_in_the_audit_log(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise nobody can be warned of it; or the log repeats the attack."""
    attack = "<script>alert(1)</script>"
    await admin.post(f"{V2}/validate/input", json={"input_data": attack})
    await upload(admin, "a.exe", b"x")
    await admin.post(f"{V2}/decrypt", json={"encrypted_data": "x", "purpose": "till"})
    entries = await site.audited()
    told = {entry.event_type: entry.data for entry in entries}
    assert told["suspicious_input"] == {"threats": "xss"}
    assert "File type not allowed" in told["file_rejected"]["errors"]
    assert told["decryption_failed"] == {"purpose": "till"}
    assert not any(attack in entry.model_dump_json() for entry in entries)


async def test_what_is_kept_for_others_to_read_is_looked_at(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise the audit log shows an attack to whoever reads it."""
    backup_id = await site.backup()
    attack = {"reason": "<script>alert(1)</script>"}
    refused = await admin.delete(f"/api/backups/{backup_id}", params=attack)
    assert refused.status_code == 422
    assert "Suspicious content detected" in refused.json()["error"]["details"]["reason"]
    names = {
        "/api/users": {"username": attack["reason"], "password": "Wrong-lamp-battery-31"},
        "/api/roles": {"name": "x", "permissions": [], "description": attack["reason"]},
        "/api/api-keys": {"name": attack["reason"], "scopes": ["backups:read"]},
    }
    for path, body in names.items():
        assert (await admin.post(path, json=body)).status_code == 422
    prose = {"reason": "O'Brien asked; select another"}
    assert (await admin.delete(f"/api/backups/{backup_id}", params=prose)).status_code == 202
