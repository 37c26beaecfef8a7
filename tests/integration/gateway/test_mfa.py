"""Second factors and fresh ones."""

import asyncio
import time

import httpx
import pyotp
import pytest

from integration.gateway.site import PASSWORD, Site, code

STALE = "UPDATE sessions SET proven_at = now() - interval '6 minutes' WHERE user_id = $1"


class Ada:
    """A user with an authenticator."""

    def __init__(self, site: Site, name: str, user_id: str) -> None:
        self.site = site
        self.name = name
        self.user_id = user_id
        self.secret = ""
        self.recovery_codes: list[str] = []

    def code(self, steps: int = 0) -> str:
        """The code now, or so many steps later."""
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30 * steps)

    async def forget_codes(self) -> None:
        """As if no code had been given for long."""
        await self.site.runtime.pool.execute(
            "UPDATE totp SET last_step = 0 WHERE user_id = $1", self.user_id
        )

    async def enrol(self, client: httpx.AsyncClient) -> None:
        """Set the authenticator up."""
        begun = await client.post("/api/auth/mfa/totp")
        assert begun.status_code == 201, begun.text
        self.secret = begun.json()["secret"]
        confirmed = await client.post("/api/auth/mfa/totp/confirm", json={"code": self.code()})
        assert confirmed.status_code == 200, confirmed.text
        self.recovery_codes = confirmed.json()["recovery_codes"]
        await self.forget_codes()

    async def log_in(self) -> httpx.AsyncClient:
        """A session that waits for the second factor."""
        return await self.site.log_in(self.name)


@pytest.fixture
async def ada(site: Site) -> Ada:
    """A user whose authenticator is set up."""
    name = await site.add_user(["operator"])
    found = Ada(site, name, await site.user_id(name))
    await found.enrol(await site.log_in(name))
    return found


def take_over(client: httpx.AsyncClient, answer: httpx.Response) -> None:
    """Go on under the token of the answer."""
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"


async def test_a_login_is_worth_nothing_without_the_second_factor(site: Site, ada: Ada) -> None:
    """Otherwise a password that was found is enough."""
    client = await ada.log_in()
    before = client.headers["Authorization"]
    assert (await client.get("/api/auth/me")).json()["limit"] == "second_factor"
    for refused in (
        await client.get("/api/backups"),
        await client.get("/api/auth/sessions"),
        await client.post("/api/api-keys", json={"name": "x", "scopes": ["backups:read"]}),
        await client.post("/api/auth/mfa/totp"),
        await client.request("DELETE", "/api/auth/mfa/totp", json={"code": ada.code()}),
        await client.post("/api/auth/step-up", json={"password": PASSWORD}),
    ):
        assert (refused.status_code, code(refused)) == (403, "second_factor_required")
    wrong = await client.post("/api/auth/mfa/verify", json={"code": "000000"})
    assert (wrong.status_code, code(wrong)) == (403, "wrong_factor")
    take_over(client, await client.post("/api/auth/mfa/verify", json={"code": ada.code()}))
    assert (await client.get("/api/backups")).status_code == 200
    stale = site.anonymous()
    assert (await stale.get("/api/auth/me", headers={"Authorization": before})).status_code == 401


async def test_setting_up_an_authenticator_is_one_entry(site: Site) -> None:
    """Otherwise one act looks like three to whoever reads the audit log."""
    name = await site.add_user(["operator"])
    user = Ada(site, name, await site.user_id(name))
    client = await user.log_in()
    await site.quiet()
    await user.enrol(client)
    told = [(entry.event_type, entry.data) for entry in await site.audited()]
    assert told == [("mfa_enabled", {"recovery_codes": 10})]
    assert (await client.get("/api/auth/me")).json()["fresh"] is True


async def test_a_code_counts_once_even_at_once(ada: Ada) -> None:
    """Otherwise a code that was seen over a shoulder opens a second session."""
    clients = [await ada.log_in() for _ in range(4)]
    body = {"code": ada.code()}
    answers = await asyncio.gather(
        *(client.post("/api/auth/mfa/verify", json=body) for client in clients)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]


async def test_codes_of_other_times_do_not_count(ada: Ada) -> None:
    """Otherwise a code is good for hours."""
    client = await ada.log_in()
    for steps in (-3, 3):
        answer = await client.post("/api/auth/mfa/verify", json={"code": ada.code(steps)})
        assert answer.status_code == 403


async def test_guessing_codes_is_locked(ada: Ada) -> None:
    """Otherwise six digits are guessed in an hour."""
    client = await ada.log_in()
    body = {"code": "000000"}
    tries = [client.post("/api/auth/mfa/verify", json=body) for _ in range(8)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*tries))
    assert statuses == [403] * 5 + [423] * 3
    right = await client.post("/api/auth/mfa/verify", json={"code": ada.code()})
    assert (right.status_code, code(right)) == (423, "account_locked")


async def test_a_recovery_code_counts_once_even_at_once(site: Site, ada: Ada) -> None:
    """Otherwise a lost phone locks a user out, or one code is for ever."""
    clients = [await ada.log_in() for _ in range(3)]
    body = {"recovery_code": ada.recovery_codes[0].upper().replace("-", " ")}
    answers = await asyncio.gather(
        *(client.post("/api/auth/mfa/verify", json=body) for client in clients)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403]
    rows = await site.runtime.pool.fetch("SELECT recovery_codes::text AS text FROM recovery_codes")
    assert not any(ada.recovery_codes[1] in row["text"] for row in rows)


async def test_recovery_codes_are_renewed_and_the_authenticator_taken_away(ada: Ada) -> None:
    """Otherwise codes that were printed and lost stay good."""
    client = await ada.log_in()
    take_over(client, await client.post("/api/auth/mfa/verify", json={"code": ada.code()}))
    old, path = ada.recovery_codes, "/api/auth/mfa/recovery-codes"
    assert (await client.post(path, json={"code": "000000"})).status_code == 403
    renewed = await client.post(path, json={"recovery_code": old[0]})
    assert renewed.status_code == 201
    body = {"recovery_code": old[1]}
    assert (await client.request("DELETE", "/api/auth/mfa/totp", json=body)).status_code == 403
    body = {"recovery_code": renewed.json()["recovery_codes"][0]}
    assert (await client.request("DELETE", "/api/auth/mfa/totp", json=body)).status_code == 204
    again = await ada.log_in()
    assert (await again.get("/api/auth/me")).json()["limit"] is None


async def test_a_password_alone_pushes_nobody_out(site: Site, ada: Ada) -> None:
    """Otherwise whoever found the password logs its user out all day."""
    client = await ada.log_in()
    take_over(client, await client.post("/api/auth/mfa/verify", json={"code": ada.code()}))
    for _ in range(site.runtime.settings.security_max_sessions + 1):
        half = await ada.log_in()
    assert (await client.get("/api/auth/me")).status_code == 200
    assert (await half.get("/api/auth/me")).status_code == 200


async def test_a_role_can_ask_for_a_second_factor(site: Site) -> None:
    """Otherwise whoever does not want one has none."""
    admin = await site.log_in()
    role = {"name": "careful", "permissions": ["backups:read"], "mfa_required": True}
    assert (await admin.post("/api/roles", json=role)).status_code == 201
    name = await site.add_user(["careful"])
    user = Ada(site, name, await site.user_id(name))
    client = await user.log_in()
    refused = await client.get("/api/backups")
    assert (refused.status_code, code(refused)) == (403, "mfa_enrolment_required")
    await user.enrol(client)
    assert (await client.get("/api/backups")).status_code == 200
    assert (await (await user.log_in()).get("/api/auth/me")).json()["limit"] == "second_factor"


async def test_an_administrator_helps_whoever_lost_all_factors(site: Site, ada: Ada) -> None:
    """Otherwise a lost phone is a lost account."""
    client = await ada.log_in()
    admin = await site.log_in()
    assert (await admin.delete(f"/api/users/{ada.user_id}/mfa")).status_code == 204
    assert (await client.get("/api/auth/me")).status_code == 401
    assert (await (await ada.log_in()).get("/api/auth/me")).json()["limit"] is None
    own = (await admin.get("/api/auth/me")).json()["user_id"]
    assert (await admin.delete(f"/api/users/{own}/mfa")).status_code == 409


async def test_what_is_sensitive_needs_a_fresh_factor(site: Site) -> None:
    """Otherwise a screen left alone deletes backups and makes administrators."""
    name = await site.add_user(["administrator"])
    user_id = await site.user_id(name)
    client, backup_id = await site.log_in(name), await site.backup()
    await site.runtime.pool.execute(STALE, user_id)
    requests = [
        ("DELETE", f"/api/backups/{backup_id}", None),
        ("POST", f"/api/backups/{backup_id}/restore", {"in_place": True}),
        ("POST", "/api/roles", {"name": "x", "permissions": []}),
        ("PATCH", f"/api/users/{user_id}", {"roles": ["administrator"]}),
        ("POST", "/api/api-keys", {"name": "x", "scopes": ["backups:read"]}),
        ("POST", "/api/auth/mfa/totp", None),
    ]
    for method, path, body in requests:
        refused = await client.request(method, path, json=body)
        assert (refused.status_code, code(refused)) == (403, "step_up_required"), path
    assert refused.json()["error"]["details"]["step_up"] == "/api/auth/step-up"
    assert (await client.post(f"/api/backups/{backup_id}/restore")).status_code == 202
    wrong = await client.post("/api/auth/step-up", json={"password": "wrong"})
    assert (wrong.status_code, code(wrong)) == (403, "wrong_factor")
    assert (await client.post("/api/auth/step-up", json={})).status_code == 422
    assert (await client.post("/api/auth/step-up", json={"password": PASSWORD})).is_success
    assert (await client.get("/api/auth/me")).json()["fresh"] is True
    made = await client.post("/api/api-keys", json={"name": "x", "scopes": ["backups:read"]})
    assert made.status_code == 201


async def test_no_secret_of_a_factor_is_audited(site: Site, ada: Ada) -> None:
    """Otherwise the audit log opens accounts."""
    client = await ada.log_in()
    given = ada.code()
    await client.post("/api/auth/mfa/verify", json={"code": "000000"})
    await client.post("/api/auth/mfa/verify", json={"code": given})
    entries = await site.audited()
    told = [(entry.event_type, entry.success) for entry in entries][-3:]
    assert told == [("login_attempt", True), ("factor_given", False), ("factor_given", True)]
    text = "".join(entry.model_dump_json() for entry in entries)
    for secret in (ada.secret, given, PASSWORD, *ada.recovery_codes):
        assert f'"{secret}"' not in text
