"""Passkeys, with a device in software."""

import asyncio
from typing import Any

import httpx
import pytest

from integration.gateway.site import PASSWORD, Site, code
from integration.gateway.soft_authenticator import PRESENT, SoftAuthenticator

BASE = "/api/auth/passkeys"


class Bea:
    """A user with a passkey."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.device = SoftAuthenticator()
        self.recovery_codes: list[str] = []

    async def register(self, client: httpx.AsyncClient) -> httpx.Response:
        """Make the passkey."""
        asked = (await client.post(f"{BASE}/registration")).json()
        credential = self.device.make(asked["options"])
        body = {"token": asked["token"], "credential": credential, "name": "laptop"}
        return await client.post(BASE, json=body)

    async def asked(self) -> dict[str, Any]:
        """What a login asks of a device."""
        answer = await self.site.anonymous().post(f"{BASE}/login/begin")
        return dict(answer.json())

    async def log_in(self, asked: dict[str, Any] | None = None) -> httpx.Response:
        """Answer it."""
        asked = asked or await self.asked()
        body = {"token": asked["token"], "credential": self.device.sign(asked["options"])}
        return await self.site.anonymous().post(f"{BASE}/login", json=body)


@pytest.fixture
async def bea(site: Site) -> Bea:
    """A user whose passkey is known."""
    found = Bea(site, await site.add_user(["viewer"]))
    made = await found.register(await site.log_in(found.name))
    assert made.status_code == 201, made.text
    found.recovery_codes = made.json()["recovery_codes"]
    return found


async def test_a_passkey_is_a_login_by_itself(site: Site, bea: Bea) -> None:
    """Otherwise passkeys are for show."""
    answer = await bea.log_in()
    assert answer.status_code == 200, answer.text
    assert answer.json()["limit"] is None
    client = site.anonymous()
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    assert (await client.get("/api/backups")).status_code == 200
    (listed,) = (await client.get(BASE)).json()["passkeys"]
    assert (listed["name"], bool(listed["last_used_at"])) == ("laptop", True)
    assert (await client.delete(f"{BASE}/{listed['id']}")).status_code == 204
    assert (await bea.log_in()).status_code == 401


async def test_a_password_alone_is_not_enough_any_more(site: Site, bea: Bea) -> None:
    """Otherwise whoever has the password does not need the passkey."""
    client = await site.log_in(bea.name)
    refused = await client.get("/api/backups")
    assert (refused.status_code, code(refused)) == (403, "second_factor_required")
    asked = (await client.post(f"{BASE}/verify/begin")).json()
    body = {"token": asked["token"], "credential": bea.device.sign(asked["options"])}
    answer = await client.post(f"{BASE}/verify", json=body)
    assert answer.status_code == 200, answer.text
    assert (await client.get("/api/auth/me")).status_code == 401
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    assert (await client.get("/api/backups")).status_code == 200
    wrong = await client.post("/api/auth/step-up", json={"password": PASSWORD})
    assert (wrong.status_code, code(wrong)) == (403, "wrong_factor")


async def test_making_a_passkey_is_one_entry(site: Site) -> None:
    """Otherwise one act looks like three to whoever reads the audit log."""
    found = Bea(site, await site.add_user(["viewer"]))
    client = await site.log_in(found.name)
    await site.quiet()
    assert (await found.register(client)).status_code == 201
    told = [(entry.event_type, entry.data) for entry in await site.audited()]
    assert told == [("passkey_added", {"recovery_codes": 10})]
    assert (await client.get("/api/auth/me")).json()["limit"] is None


async def test_a_lost_device_is_no_lost_account(site: Site, bea: Bea) -> None:
    """Otherwise whoever has passkeys alone is locked out with the last one."""
    assert len(bea.recovery_codes) == 10
    client = await site.log_in(bea.name)
    body = {"recovery_code": bea.recovery_codes[0]}
    answer = await client.post("/api/auth/mfa/verify", json=body)
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    bea.device = SoftAuthenticator()
    second = await bea.register(client)
    assert (second.status_code, second.json()["recovery_codes"]) == (201, [])


async def test_a_passkey_given_just_now_makes_new_recovery_codes(site: Site, bea: Bea) -> None:
    """Otherwise codes that were lost cannot be replaced, or a stale session replaces them."""
    path, client = "/api/auth/mfa/recovery-codes", site.anonymous()
    client.headers["Authorization"] = f"Bearer {(await bea.log_in()).json()['token']}"
    renewed = await client.post(path)
    assert renewed.status_code == 201
    used = {"recovery_code": bea.recovery_codes[0]}
    assert (await client.post(path, json=used)).status_code == 403
    stale = "UPDATE sessions SET proven_at = now() - interval '6 minutes'"
    await site.runtime.pool.execute(stale)
    refused = await client.post(path)
    assert (refused.status_code, code(refused)) == (403, "step_up_required")
    plain = await site.log_in(await site.add_user([]))
    assert code(await plain.post(path)) == "wrong_factor"


async def test_an_answer_counts_once_even_at_once(bea: Bea) -> None:
    """Otherwise an answer that was overheard opens a second session."""
    asked = await bea.asked()
    body = {"token": asked["token"], "credential": bea.device.sign(asked["options"])}
    client = bea.site.anonymous()
    answers = await asyncio.gather(*(client.post(f"{BASE}/login", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_an_answer_to_something_else_does_not_count(site: Site, bea: Bea) -> None:
    """Otherwise an old signature is good for a new challenge."""
    first, second = await bea.asked(), await bea.asked()
    body = {"token": second["token"], "credential": bea.device.sign(first["options"])}
    answer = await site.anonymous().post(f"{BASE}/login", json=body)
    assert (answer.status_code, code(answer)) == (401, "wrong_credentials")
    late = await bea.asked()
    await site.runtime.pool.execute("UPDATE challenges SET expires_at = now()")
    assert (await bea.log_in(late)).status_code == 401


async def test_a_page_of_another_address_gets_nothing(bea: Bea) -> None:
    """Otherwise passkeys can be phished like passwords."""
    bea.device.origin = "http://localhost.evil.example"
    assert (await bea.log_in()).status_code == 401


async def test_a_device_has_to_know_its_user(bea: Bea) -> None:
    """Otherwise a stolen key ring is two factors."""
    bea.device.flags = PRESENT
    assert (await bea.log_in()).status_code == 401


async def test_a_counter_that_goes_back_is_a_copy(bea: Bea) -> None:
    """Otherwise a cloned key is not noticed."""
    assert (await bea.log_in()).status_code == 200
    bea.device.count = 0
    assert (await bea.log_in()).status_code == 401


async def test_a_disabled_user_has_no_passkey(site: Site, bea: Bea) -> None:
    """Otherwise disabling leaves a door open."""
    admin = await site.log_in()
    await admin.post(f"/api/users/{await site.user_id(bea.name)}/disable")
    assert (await bea.log_in()).status_code == 401


async def test_a_passkey_of_another_user_is_no_second_factor(site: Site, bea: Bea) -> None:
    """Otherwise an attacker's own passkey completes a login with a stolen password."""
    other = Bea(site, await site.add_user(["viewer"]))
    assert (await other.register(await site.log_in(other.name))).status_code == 201
    client = await site.log_in(bea.name)
    asked = (await client.post(f"{BASE}/verify/begin")).json()
    body = {"token": asked["token"], "credential": other.device.sign(asked["options"])}
    answer = await client.post(f"{BASE}/verify", json=body)
    assert (answer.status_code, code(answer)) == (403, "wrong_factor")
    mine = (await (await site.log_in(other.name)).post(f"{BASE}/verify/begin")).json()
    body = {"token": mine["token"], "credential": bea.device.sign(mine["options"])}
    assert (await client.post(f"{BASE}/verify", json=body)).status_code == 403


async def test_a_registration_is_of_its_session_and_its_passkey_new(site: Site, bea: Bea) -> None:
    """Otherwise an attacker's passkey is added to a victim's account."""
    first = await site.log_in(await site.add_user(["viewer"]))
    second = await site.log_in(await site.add_user(["viewer"]))
    asked = (await first.post(f"{BASE}/registration")).json()
    device = SoftAuthenticator()
    body = {"token": asked["token"], "credential": device.make(asked["options"])}
    refused = await second.post(BASE, json=body)
    assert (refused.status_code, code(refused)) == (422, "passkey_refused")
    asked = (await first.post(f"{BASE}/registration")).json()
    body = {"token": asked["token"], "credential": bea.device.make(asked["options"])}
    known = await first.post(BASE, json=body)
    assert (known.status_code, code(known)) == (409, "passkey_exists")
