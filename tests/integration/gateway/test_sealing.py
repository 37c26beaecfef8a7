"""Secrets of authenticators after a change of SECURITY_ENCRYPTION_KEY."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
from pydantic import SecretStr

from common.errors import Conflict
from common.messages import Envelope, SealingStanding, seal
from common.service.resealing import Resealing
from gateway.mfa.sealing import Sealing
from gateway.security.secrets import SecretKeys
from integration.gateway.site import SECRET, Site, running
from standalone.product.datadir import DataDirectory
from standalone.product.retiring import former_keys, retire

FORMER = "aG7dK2mW9xQ4tZ6vB1nS8jL3pY5rC0fH"
Url = Callable[[str], str]


async def enrol(site: Site) -> tuple[str, str]:
    """A user with an authenticator, and its secret."""
    name = await site.add_user(["viewer"])
    client = await site.log_in(name)
    secret = (await client.post("/api/auth/mfa/totp")).json()["secret"]
    await client.post("/api/auth/mfa/totp/confirm", json={"code": code(secret)})
    return name, secret


def code(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


async def standing(client: httpx.AsyncClient) -> dict[str, Any]:
    """How it stands with the gateway's own secrets."""
    answer = await client.get("/api/v2/security/keys")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]["keys"][0]
    assert found["setting"] == "SECURITY_ENCRYPTION_KEY"
    return found


def tried(site: Site, keys: SecretKeys) -> Resealing:
    """The same work with other keys."""
    return Resealing(site.runtime, Sealing(keys.keys), what="authenticators", setting="KEY")


async def test_after_a_change_of_the_key_every_secret_is_sealed_anew(database_url: Url) -> None:
    """Otherwise a key that leaked opens every second factor for ever, or dropping it locks out."""
    url = database_url("gateway")
    async with running(url, security_encryption_key=FORMER) as before:
        await before.runtime.pool.execute("DELETE FROM totp")
        name, secret = await enrol(before)
        await enrol(before)
        await before.runtime.pool.execute("UPDATE totp SET last_step = 0")
        opened = "UPDATE totp SET secret = 'open:' || $2, key_id = '' WHERE user_id = $1"
        user = await before.user_id(await before.add_user(["viewer"]))
        await before.runtime.pool.execute(
            "INSERT INTO totp (user_id, secret) VALUES ($1, '')", UUID(user)
        )
        await before.runtime.pool.execute(opened, UUID(user), pyotp.random_base32())
        found = await standing(await before.log_in())
        assert (found["secrets"], found["under_former_keys"], found["former_keys"]) == (3, 1, 0)
    async with running(url, security_encryption_key=f"{SECRET},{FORMER}") as rotated:
        client = await rotated.log_in()
        async with asyncio.timeout(60):
            while not (found := await standing(client))["finished_at"]:
                await asyncio.sleep(0.1)
        assert (found["resealed"], found["under_former_keys"], found["droppable"]) == (3, 0, True)
        told = [entry.event_type for entry in await rotated.audited()]
        assert told.count("encryption_key_rotated") == 1
        stored = await rotated.runtime.pool.fetch("SELECT secret FROM totp")
        assert not any("open:" in row["secret"] for row in stored)
    async with running(url) as after:
        half = await after.log_in(name)
        answer = await half.post("/api/auth/mfa/verify", json={"code": code(secret)})
        assert answer.status_code == 200, answer.text


async def test_a_batch_that_is_cut_off_is_done_by_whoever_comes_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a restart at the wrong moment loses a secret, or counts it twice."""
    await site.runtime.pool.execute("DELETE FROM totp")
    for _ in range(3):
        await enrol(site)
    await site.runtime.pool.execute("DELETE FROM resealings")
    keys = SecretKeys(SecretStr(f"{FORMER},{SECRET}"), SecretStr(SECRET))
    monkeypatch.setattr("common.service.resealing.BATCH", 2)
    whole, sealed = Sealing.seal, 0

    async def fails_at_the_third(self: Sealing, secret: str) -> tuple[str, str]:
        nonlocal sealed
        sealed += 1
        if sealed == 3:
            raise ConnectionError
        return await whole(self, secret)

    resealing = tried(site, keys)
    with monkeypatch.context() as patched:
        patched.setattr(Sealing, "seal", fails_at_the_third)
        with pytest.raises(ConnectionError):
            await resealing.once()
    halfway = await resealing.progress()
    assert (halfway.resealed, halfway.waiting, halfway.finished_at) == (2, 1, None)
    done = await tried(site, keys).once()
    assert (done.resealed, done.waiting, done.unreadable) == (3, 0, 0)
    assert await tried(site, keys).warning() is None
    lost = SecretKeys(SecretStr(SECRET), SecretStr(SECRET))
    assert "3 authenticators" in (await tried(site, lost).warning() or "")


async def test_former_keys_are_retired_when_nothing_needs_them(
    site: Site, database_url: Url, tmp_path: Path
) -> None:
    """Otherwise a key that leaked stays in its list for years, or users lose their factors."""
    await site.runtime.pool.execute("DELETE FROM totp")
    await enrol(site)
    await site.quiet()
    directory, name = DataDirectory(tmp_path / "data"), "security_encryption_key"
    newer = f"{FORMER},{SECRET}"
    with directory.opened():
        directory.write_secret(name, newer)
        directory.write_secret("security_key_salt", SECRET)
        file = directory.path / "secrets" / name
        os.utime(file, (1_000_000_000, 1_000_000_000))
        with pytest.raises(Conflict, match="1 stored secret"):
            await retire(directory, database_url, name)
        assert directory.secret(name).get_secret_value() == newer
        await tried(site, SecretKeys(SecretStr(newer), SecretStr(SECRET))).once()
        assert await retire(directory, database_url, name) == 1
        assert former_keys(directory, name) == 0
        assert directory.secret_made_at(name) == 1_000_000_000
    assert (file.read_text(), file.stat().st_mode & 0o777) == (FORMER, 0o600)
    (told,) = (each for each in await site.audited() if each.event_type == "former_keys_retired")
    assert (told.entity_id, told.data) == (name.upper(), {"former_keys": 1})


async def test_a_key_that_was_taken_away_too_early_locks_nobody_out(
    site: Site, database_url: Url
) -> None:
    """Otherwise users are locked for codes that are right, and told that they are wrong."""
    name, secret = await enrol(site)
    async with running(database_url("gateway"), security_encryption_key=FORMER) as other:
        half = await other.log_in(name)
        for _ in range(6):
            answer = await half.post("/api/auth/mfa/verify", json={"code": code(secret)})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


async def test_without_a_key_no_secret_is_stored(database_url: Url) -> None:
    """Otherwise second factors stand in the clear in every copy of the database."""
    async with running(database_url("gateway"), security_encryption_key="") as bare:
        client = await bare.log_in(await bare.add_user(["viewer"]))
        answer = await client.post("/api/auth/mfa/totp")
        assert answer.status_code == 503
        assert "SECURITY_ENCRYPTION_KEY" in answer.json()["error"]["details"]["remedy"]


async def test_what_token_service_keeps_is_told_as_well(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise nobody knows whether the former ENCRYPTION_KEY can go."""
    silent = (await admin.get("/api/v2/security/keys")).json()["data"]
    assert silent["unanswered"] == ["ENCRYPTION_KEY"]

    async def answer(question: Envelope) -> Envelope:
        told = SealingStanding(key_id="ab", former_keys=1, secrets=5, waiting=2, resealed=3)
        return seal(told, source="token-service")

    await site.workers.answer("token-service.questions", answer)
    found = (await admin.get("/api/v2/security/keys")).json()["data"]
    assert found["unanswered"] == []
    (tokens,) = (each for each in found["keys"] if each["setting"] == "ENCRYPTION_KEY")
    assert (tokens["under_former_keys"], tokens["droppable"]) == (2, False)
