"""Sessions, lockout, rate limits and the first administrator, over HTTP and on PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from common.crypto.passwords import Passwords
from common.errors import Invalid, NotFound
from gateway.identity.bootstrap import FirstAdministrator, ensure_administrator
from gateway.identity.handlers import Identity
from gateway.identity.local import begin_local_session
from integration.gateway.site import LONGEST_HOUR, PASSWORD, ROUNDS, Site, running

LIMITS = {
    "security_max_login_attempts": 3,
    "security_max_sessions": 2,
    "security_session_timeout": 5,
}


@pytest.fixture(scope="module")
async def strict(database_url: Callable[[str], str]) -> AsyncIterator[Site]:
    """A gateway with low limits."""
    async with running(database_url("gateway"), **LIMITS) as found:
        yield found


async def try_login(site: Site, name: str, password: str) -> httpx.Response:
    credential = {"username": name, "password": password}
    return await site.anonymous().post("/api/auth/login", json=credential)


async def test_a_session_begins_works_and_ends(strict: Site) -> None:
    """Otherwise nobody gets in, or logging out does not log out."""
    name = await strict.add_user(["viewer"])
    client = await strict.log_in(name.upper())
    me = await client.get("/api/auth/me")
    assert me.json()["name"] == name
    assert me.json()["permissions"] == ["backups:read"]
    assert (await client.post("/api/auth/logout")).status_code == 204
    assert (await client.get("/api/auth/me")).status_code == 401


async def test_a_token_is_stored_only_as_its_digest(strict: Site) -> None:
    """Otherwise who reads the database, or a backup of it, is logged in as everybody."""
    name = await strict.add_user(["viewer"])
    answer = await try_login(strict, name, PASSWORD)
    token = answer.json()["token"]
    rows = await strict.runtime.pool.fetch("SELECT sessions::text AS text FROM sessions")
    users = await strict.runtime.pool.fetch("SELECT users::text AS text FROM users")
    assert not any(token in row["text"] for row in rows)
    assert not any(PASSWORD in row["text"] for row in users)
    assert answer.json()["expires_in"] == 300


async def test_a_session_ends_when_it_is_idle(strict: Site) -> None:
    """Otherwise an abandoned till stays logged in."""
    client = await strict.log_in(await strict.add_user(["viewer"]))
    user_id = (await client.get("/api/auth/me")).json()["user_id"]
    idle = "UPDATE sessions SET last_seen_at = now() - $2 * interval '1 minute' WHERE user_id = $1"
    await strict.runtime.pool.execute(idle, user_id, 4)
    assert (await client.get("/api/auth/me")).status_code == 200
    seen = "SELECT now() - last_seen_at < interval '1 minute' FROM sessions WHERE user_id = $1"
    assert await strict.runtime.pool.fetchval(seen, user_id)
    await strict.runtime.pool.execute(idle, user_id, 6)
    assert (await client.get("/api/auth/me")).status_code == 401


async def test_the_oldest_session_ends_when_there_are_too_many(strict: Site) -> None:
    """Otherwise stolen sessions pile up unseen."""
    name = await strict.add_user(["viewer"])
    clients = [await strict.log_in(name) for _ in range(3)]
    statuses = [(await client.get("/api/auth/me")).status_code for client in clients]
    assert statuses == [401, 200, 200]


async def test_a_wrong_password_and_an_unknown_user_look_alike(strict: Site) -> None:
    """Otherwise an attacker finds out which users exist."""
    name = await strict.add_user([])
    wrong = await try_login(strict, name, "wrong")
    unknown = await try_login(strict, "nobody-here", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_failures_lock_the_account_even_for_the_right_password(strict: Site) -> None:
    """Otherwise a password can be guessed without end."""
    name = await strict.add_user([])
    for _ in range(3):
        assert (await try_login(strict, name, "wrong")).status_code == 401
    locked = await try_login(strict, name, PASSWORD)
    assert locked.status_code == 423
    assert locked.json()["error"]["code"] == "account_locked"
    assert 800 < int(locked.headers["retry-after"]) <= 900
    past = "UPDATE login_failures SET failed_at = failed_at - interval '15 minutes'"
    await strict.runtime.pool.execute(past)
    assert (await try_login(strict, name, PASSWORD)).status_code == 200


async def test_a_login_that_succeeds_forgets_failures(strict: Site) -> None:
    """Otherwise typing errors of weeks add up to a lockout."""
    name = await strict.add_user([])
    for password in ("wrong", "wrong", PASSWORD, "wrong", "wrong"):
        await try_login(strict, name, password)
    assert (await try_login(strict, name, PASSWORD)).status_code == 200


async def test_guesses_sent_at_once_are_counted_one_by_one(strict: Site) -> None:
    """Otherwise a hundred guesses in parallel pass before the first is counted."""
    name = await strict.add_user([])
    tries = [try_login(strict, name, f"wrong-{n}") for n in range(12)]
    statuses = [answer.status_code for answer in await asyncio.gather(*tries)]
    assert sorted(statuses) == [401] * 3 + [423] * 9


async def test_logins_are_limited_by_address_on_all_replicas(
    strict: Site, database_url: Callable[[str], str]
) -> None:
    """Otherwise two replicas let twice as many guesses through."""
    await strict.runtime.pool.execute("DELETE FROM request_counts")
    await strict.hold_the_hour()
    limits = {"security_max_requests_per_hour": 4, "security_rate_shares": {"login": 1}}
    async with (
        running(database_url("gateway"), **limits) as first,
        running(database_url("gateway"), **limits) as second,
    ):
        for n in range(4):
            site = (first, second)[n % 2]
            assert (await try_login(site, f"nobody-{n}", "wrong")).status_code == 401
        for site in (first, second):
            refused = await try_login(site, "admin", PASSWORD)
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "rate_limited"
            assert 1 <= int(refused.headers["retry-after"]) <= LONGEST_HOUR
    await strict.runtime.pool.execute("DELETE FROM request_counts")


async def test_logins_and_refusals_are_audited_without_names_or_passwords(strict: Site) -> None:
    """Otherwise an attack leaves no trace, or leaves a password in the audit log."""
    name = await strict.add_user([])
    await strict.audited()
    await try_login(strict, "hunter2", "hunter2")
    client = await strict.log_in(name)
    await client.get("/api/backups")
    await strict.anonymous().get("/api/backups")
    await client.post("/api/auth/logout")
    entries = await strict.audited()
    told = [(entry.event_type, entry.success) for entry in entries]
    assert told == [
        ("login_attempt", False),
        ("login_attempt", True),
        ("permission_denied", False),
        ("authentication_failed", False),
        ("logout", True),
    ]
    assert all(entry.ip_address == "127.0.0.1" and entry.user_agent for entry in entries)
    assert entries[0].resource == "/api/auth/login"
    assert entries[0].action == "POST"
    assert entries[2].data == {"needed": "backups:read"}
    assert not any("hunter2" in entry.model_dump_json() for entry in entries)


async def test_a_flood_of_refusals_does_not_flood_the_audit_log(
    strict: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise anybody on the network fills the disk."""
    now = time.monotonic()
    monkeypatch.setattr("gateway.identity.refusals.time", SimpleNamespace(monotonic=lambda: now))
    await strict.audited()
    client = strict.anonymous()
    for _ in range(30):
        assert (await client.get("/api/backups")).status_code == 401
    assert len(await strict.audited()) <= 10


async def test_a_hash_of_another_cost_is_renewed(strict: Site) -> None:
    """Otherwise raising the cost never reaches those who already have a password."""
    name = await strict.add_user([])
    cheap = await asyncio.to_thread(Passwords(ROUNDS - 1).hash, PASSWORD)
    change = "UPDATE users SET password_hash = $2 WHERE name = $1"
    await strict.runtime.pool.execute(change, name, cheap)
    assert (await try_login(strict, name, PASSWORD)).status_code == 200
    stored = await strict.runtime.pool.fetchval(
        "SELECT password_hash FROM users WHERE name = $1", name
    )
    assert f"r={ROUNDS}$" in stored
    assert (await try_login(strict, name, PASSWORD)).status_code == 200


async def test_house_keeping_removes_what_no_longer_counts(strict: Site) -> None:
    """Otherwise the tables grow with every visit."""
    pool = strict.runtime.pool
    await strict.log_in(await strict.add_user([]))
    await try_login(strict, "nobody", "wrong")
    await pool.execute("UPDATE sessions SET last_seen_at = now() - interval '1 day'")
    await pool.execute("UPDATE login_failures SET failed_at = now() - interval '1 day'")
    await pool.execute("UPDATE request_counts SET hour = hour - 24")
    identity = Identity(strict.runtime, strict.runtime.settings)
    keeping = asyncio.create_task(identity.keep_house(every=0.01))
    async with asyncio.timeout(60):
        for table in ("sessions", "login_failures", "request_counts"):
            while await pool.fetchval(f"SELECT count(*) FROM {table}"):
                await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])
    identity.close()


async def test_the_host_of_the_gateway_gets_a_session_without_a_password(strict: Site) -> None:
    """Otherwise the one-process product cannot take its first backup when it starts again."""
    name = await strict.add_user(["viewer"])
    client = strict.anonymous()
    token = await begin_local_session(strict.runtime, name)
    client.headers["Authorization"] = f"Bearer {token}"
    assert (await client.get("/api/auth/me")).json()["name"] == name
    with pytest.raises(NotFound):
        await begin_local_session(strict.runtime, "nobody")


async def test_a_login_with_a_password_that_has_leaked_is_told(strict: Site) -> None:
    """Otherwise nobody knows whose password is on a list since it was taken."""
    name, leaked = await strict.add_user([]), "Speeddemon123!"
    change = "UPDATE users SET password_hash = $2 WHERE name = $1"
    await strict.runtime.pool.execute(change, name, Passwords(ROUNDS).hash(leaked))
    await strict.quiet()
    await strict.log_in(name, leaked)
    entries = await strict.audited()
    assert [entry.event_type for entry in entries] == ["login_attempt", "breached_password_used"]
    assert leaked not in "".join(entry.model_dump_json() for entry in entries)


async def test_there_is_one_first_administrator(strict: Site) -> None:
    """Otherwise a restart resets the password, or one that stood on a screen stays."""
    told: list[FirstAdministrator] = []

    async def hashed(password: str) -> str:
        return f"hash of {len(password)}"

    await ensure_administrator(strict.runtime, SecretStr("other"), hashed, told.append)
    assert told == []
    assert (await try_login(strict, "admin", PASSWORD)).status_code == 200
    await strict.runtime.pool.execute("DELETE FROM users")
    with pytest.raises(Invalid, match="STRONGROOM_ADMIN_PASSWORD"):
        await ensure_administrator(strict.runtime, SecretStr(""), hashed, None)
    again = [
        ensure_administrator(strict.runtime, SecretStr(""), hashed, told.append) for _ in range(3)
    ]
    await asyncio.gather(*again)
    assert len(told) == 1
    assert len(told[0].password.get_secret_value()) == 23
    must_change = "SELECT must_change_password FROM users WHERE name = 'admin'"
    assert await strict.runtime.pool.fetchval(must_change)
    await strict.runtime.pool.execute("DELETE FROM users")
    await ensure_administrator(strict.runtime, SecretStr("configured"), hashed, None)
    assert not await strict.runtime.pool.fetchval(must_change)
    assert await strict.runtime.pool.fetchval("SELECT count(*) FROM users") == 1
