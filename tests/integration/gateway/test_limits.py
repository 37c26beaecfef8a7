"""Rate limits and lockout over HTTP, and what is believed of proxies and hosts."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from gateway.identity.handlers import Identity
from gateway.passwords import Hashing, NewPasswords
from gateway.passwords.domain import USED_BEFORE
from gateway.passwords.history import PasswordRefused
from integration.gateway.site import LONGEST_HOUR, PASSWORD, PATIENCE, Site, running

LIMITS = {
    "security_max_requests_per_minute": 10_000,
    "security_max_requests_per_hour": 6,
    "security_rate_shares": {"login": 1000, "token": 0.5},
    "security_max_login_attempts": 3,
    "strongroom_trusted_proxies": "127.0.0.1",
    "strongroom_allowed_hosts": "backup.example.com",
    "strongroom_cors_origins": "https://till.example.com",
}


@pytest.fixture(scope="module")
async def tight(database_url: Callable[[str], str]) -> AsyncIterator[Site]:
    """A gateway behind a proxy, which lets through six requests in an hour."""
    async with running(database_url("gateway"), **LIMITS) as found:
        await found.hold_the_hour()
        yield found


@pytest.fixture(autouse=True)
async def unused(tight: Site) -> None:
    """Nobody has asked or failed yet."""
    for table in ("request_counts", "login_failures", "known_devices"):
        await tight.runtime.pool.execute(f"DELETE FROM {table}")


def behind(client: httpx.AsyncClient, address: str, proto: str = "http") -> httpx.AsyncClient:
    client.headers["X-Forwarded-For"] = address
    client.headers["X-Forwarded-Proto"] = proto
    return client


async def test_a_user_is_limited_and_told_when_to_come_back(tight: Site) -> None:
    """Otherwise one program keeps everybody else waiting."""
    client = await tight.log_in(await tight.add_user(["viewer"]))
    answers = [await client.get("/api/auth/me") for _ in range(8)]
    # The login found the caller once.
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert answers[0].headers["ratelimit-policy"] == '"minute";q=10000;w=60, "hour";q=6;w=3600'
    assert '"hour";r=4;t=' in answers[0].headers["ratelimit"]
    assert answers[-1].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= LONGEST_HOUR
    other = await tight.log_in(await tight.add_user(["viewer"]))
    assert (await other.get("/api/auth/me")).status_code == 200
    refused = await client.get("/api/backups/none")
    assert refused.status_code == 429


async def test_kinds_have_limits_of_their_own(tight: Site) -> None:
    """Otherwise tokens are made as fast as lists are read."""
    client = await tight.log_in(await tight.add_user([], ["tokens:issue"]))
    statuses = [
        (await client.post("/api/v2/security/generate/token")).status_code for _ in range(4)
    ]
    assert statuses == [200] * 3 + [429]
    assert (await client.get("/api/auth/me")).status_code == 200


async def test_an_administrator_may_ask_more(tight: Site) -> None:
    """Otherwise a console that is open keeps its administrator out."""
    client = await tight.log_in()
    statuses = {(await client.get("/api/auth/me")).status_code for _ in range(12)}
    assert statuses == {200}


async def test_the_users_of_a_role_may_ask_as_often_as_it_says(tight: Site) -> None:
    """Otherwise a program that asks often is limited like a person, or everybody like a program."""
    admin = await tight.log_in()
    role = {"name": "reporter", "permissions": ["backups:read"], "request_factor": 2}
    made = await admin.post("/api/roles", json=role)
    assert (made.status_code, made.json()["request_factor"]) == (201, 2)
    client = await tight.log_in(await tight.add_user(["reporter"]))
    statuses = [(await client.get("/api/auth/me")).status_code for _ in range(12)]
    assert statuses == [200] * 11 + [429]
    less = await admin.patch("/api/roles/viewer", json={"request_factor": 0.5})
    assert (less.status_code, less.json()["request_factor"]) == (200, 0.5)
    assert (await admin.patch("/api/roles/viewer", json={"request_factor": 1})).is_success


async def test_strangers_are_limited_by_address(tight: Site) -> None:
    """Otherwise anybody without an account asks without end."""
    for path in ("/api/backups", "/openapi.json"):
        await tight.runtime.pool.execute("DELETE FROM request_counts")
        client = behind(tight.anonymous(), f"192.0.2.{len(path)}")
        statuses = [(await client.get(path)).status_code for _ in range(8)]
        assert statuses[6:] == [429, 429]
        other = behind(tight.anonymous(), "198.51.100.1")
        assert (await other.get(path)).status_code != 429
    assert (await client.get("/healthz")).status_code == 200


async def test_what_an_address_says_of_itself_is_not_believed(tight: Site) -> None:
    """Otherwise a limit is evaded by inventing addresses, or an audit entry forged."""
    client = tight.anonymous()
    statuses = []
    for n in range(8):
        client.headers["X-Forwarded-For"] = f"203.0.113.{n}, 192.0.2.77"
        statuses.append((await client.get("/openapi.json")).status_code)
    assert statuses[6:] == [429, 429]


async def fail(tight: Site, name: str, address: str, times: int, device: str = "") -> list[int]:
    client = behind(tight.anonymous(), address)
    client.headers["X-Device-Token"] = device
    body = {"username": name, "password": "wrong"}
    return [(await client.post("/api/auth/login", json=body)).status_code for _ in range(times)]


async def test_strangers_cannot_lock_a_user_out(tight: Site) -> None:
    """Otherwise anybody keeps the administrator from a restore by typing a name."""
    name = await tight.add_user(["viewer"])
    body = {"username": name, "password": PASSWORD}
    first = await behind(tight.anonymous(), "192.0.2.1").post("/api/auth/login", json=body)
    device = first.headers["x-device-token"]
    assert "HttpOnly" in first.headers["set-cookie"]
    assert await fail(tight, name, "198.51.100.9", 4) == [401, 401, 401, 423]
    stranger = behind(tight.anonymous(), "192.0.2.1")
    assert (await stranger.post("/api/auth/login", json=body)).status_code == 423
    known = behind(tight.anonymous(), "192.0.2.50")
    known.headers["X-Device-Token"] = device
    again = await known.post("/api/auth/login", json=body)
    assert again.status_code == 200
    assert "x-device-token" not in again.headers
    # Its success lets nobody else guess again.
    assert await fail(tight, name, "198.51.100.9", 1) == [423]


@pytest.mark.parametrize("addresses", [1, 8])
async def test_right_passwords_sent_at_once_all_get_in(
    tight: Site, monkeypatch: pytest.MonkeyPatch, addresses: int
) -> None:
    """Otherwise programs that log in together lock their user out, or each other's rows."""
    monkeypatch.setattr("gateway.identity.attempts.PATIENCE", PATIENCE)
    name = await tight.add_user(["viewer"])
    body = {"username": name, "password": PASSWORD}
    clients = [behind(tight.anonymous(), f"192.0.2.{n % addresses}") for n in range(8)]
    tries = [client.post("/api/auth/login", json=body) for client in clients]
    assert {answer.status_code for answer in await asyncio.gather(*tries)} == {200}


async def test_a_known_device_cannot_guess_without_end(tight: Site) -> None:
    """Otherwise a stolen device guesses the password."""
    name = await tight.add_user(["viewer"])
    body = {"username": name, "password": PASSWORD}
    first = await tight.anonymous().post("/api/auth/login", json=body)
    device = first.headers["x-device-token"]
    assert await fail(tight, name, "192.0.2.1", 4, device) == [401, 401, 401, 423]
    assert (await tight.anonymous().post("/api/auth/login", json=body)).status_code == 200


async def test_one_address_cannot_guess_at_many_accounts(tight: Site) -> None:
    """Otherwise one password is tried on every account."""
    statuses = []
    for n in range(31):
        statuses += await fail(tight, f"user-{n}", "192.0.2.200", 1)
    assert statuses == [401] * 30 + [429]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("backup.example.com", 200),
        ("Backup.Example.com:8443", 200),
        ("localhost:8000", 200),
        ("evil.example.org", 400),
        ("backup.example.com.evil.org", 400),
        ("backup.example.com@evil.org", 400),
        ("192.0.2.1", 400),
        ("", 400),
    ],
)
async def test_only_its_own_names_are_answered(tight: Site, host: str, status: int) -> None:
    """Otherwise another site's page, whose name is pointed here, reads through a browser."""
    client = behind(tight.anonymous(), "192.0.2.3")
    answer = await client.get("/openapi.json", headers={"Host": host})
    assert answer.status_code == status
    assert ("STRONGROOM_ALLOWED_HOSTS" in answer.text) == (status == 400)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


async def test_https_is_insisted_on_only_where_it_is_used(tight: Site, site: Site) -> None:
    """Otherwise a browser refuses http on a machine that has nothing else, or falls back to it."""
    secure = behind(tight.anonymous(), "192.0.2.4", "https")
    told = (await secure.get("/healthz")).headers["strict-transport-security"]
    assert told == "max-age=31536000; includeSubDomains"
    plain = behind(tight.anonymous(), "192.0.2.4")
    assert "strict-transport-security" not in (await plain.get("/healthz")).headers
    unproxied = behind(site.anonymous(), "192.0.2.4", "https")
    assert "strict-transport-security" not in (await unproxied.get("/healthz")).headers


async def test_cookies_that_came_by_https_go_by_nothing_else(tight: Site) -> None:
    """Otherwise a session is overheard, or a neighbouring host plants one."""
    body = {"username": "admin", "password": PASSWORD, "cookie": True}
    client = behind(tight.anonymous(), "192.0.2.5", "https")
    answer = await client.post("/api/auth/login", json=body)
    session, device = sorted(answer.headers.get_list("set-cookie"))
    assert session.startswith("__Host-strongroom_session=")
    assert device.startswith("strongroom_device=")
    for cookie in (session, device):
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "samesite=strict"} <= flags
    assert "Path=/;" in session
    assert "Domain" not in session + device


async def test_other_sites_may_ask_only_when_they_are_listed(tight: Site, site: Site) -> None:
    """Otherwise any page that a user visits reads with the user's token."""

    async def allowed(where: Site, origin: str) -> str | None:
        wish = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = await where.anonymous().options("/api/backups", headers=wish)
        found: str | None = answer.headers.get("access-control-allow-origin")
        return found

    assert await allowed(tight, "https://till.example.com") == "https://till.example.com"
    assert await allowed(tight, "https://evil.example.com") is None
    assert await allowed(site, "https://till.example.com") is None


async def test_a_new_password_makes_every_device_a_stranger(tight: Site) -> None:
    """Otherwise a thief of the old password keeps a way around the lock."""
    await tight.log_in()
    count = "SELECT count(*) FROM known_devices"
    assert await tight.runtime.pool.fetchval(count) == 1
    identity = Identity(tight.runtime, tight.runtime.settings)
    async with tight.runtime.transaction() as context:
        user_id = await tight.user_id("admin")
        await identity.remember_password(context.conn, user_id, "stored")
    identity.close()
    assert await tight.runtime.pool.fetchval(count) == 0


async def test_former_passwords_do_not_come_back(tight: Site) -> None:
    """Otherwise a password that leaked is taken again."""
    hashing = Hashing(tight.runtime.settings)
    policy = NewPasswords(tight.runtime.settings, hashing)
    name = await tight.add_user([])
    user_id = await tight.user_id(name)
    taken = [f"Wrong-lamp-battery-{n}{n}" for n in range(7)]
    async with tight.runtime.transaction() as context:
        for password in taken:
            await policy.check_new_password(context.conn, user_id, name, password)
            stored = await hashing.hash(password)
            change = "UPDATE users SET password_hash = $2 WHERE id = $1"
            await context.conn.execute(change, user_id, stored)
            await policy.remember(context.conn, user_id, stored)
        for password in taken[2:]:
            with pytest.raises(PasswordRefused) as refused:
                await policy.check_new_password(context.conn, user_id, name, password)
            assert refused.value.details["reason"] == USED_BEFORE
        await policy.check_new_password(context.conn, user_id, name, taken[1])
    hashing.close()
