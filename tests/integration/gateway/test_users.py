"""Accounts over HTTP: what may be changed by whom, and what ends with it."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from common.db import transaction
from integration.gateway.site import PASSWORD, Site, code

NEW = "Wrong-lamp-battery-31"
NOBODY = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"


async def created(
    admin: httpx.AsyncClient, *roles: str, must_change: bool = False
) -> tuple[str, str]:
    """A new user's id and name."""
    name = f"Ada-{uuid4().hex[:8]}"
    body = {"username": name, "password": NEW, "roles": roles, "must_change_password": must_change}
    answer = await admin.post("/api/users", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], name


async def test_a_user_is_made_changed_and_removed(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise accounts can only be made by hand in the database."""
    user_id, name = await created(admin, "viewer")
    client = await site.log_in(name.upper(), NEW)
    assert (await client.get("/api/backups")).status_code == 200
    change = await admin.patch(f"/api/users/{user_id}", json={"roles": ["auditor"]})
    assert change.json()["roles"] == ["auditor"]
    assert (await client.get("/api/auth/me")).json()["permissions"] == [
        "audit:read",
        "backups:read",
    ]
    renamed = await admin.patch(f"/api/users/{user_id}", json={"username": f"{name}-2"})
    assert renamed.json()["name"] == f"{name}-2"
    listed = (await admin.get("/api/users", params={"limit": 200})).json()
    assert user_id in [user["id"] for user in listed["users"]]
    assert (await admin.delete(f"/api/users/{user_id}")).status_code == 204
    assert (await admin.get(f"/api/users/{user_id}")).status_code == 404
    assert (await client.get("/api/auth/me")).status_code == 401


async def test_names_are_unique_however_they_are_written(admin: httpx.AsyncClient) -> None:
    """Otherwise somebody is taken for somebody else."""
    user_id, name = await created(admin)
    _, other = await created(admin)
    body = {"username": f" {name.upper()} ", "password": NEW}
    answer = await admin.post("/api/users", json=body)
    assert (answer.status_code, code(answer)) == (409, "user_exists")
    answer = await admin.patch(f"/api/users/{user_id}", json={"username": other})
    assert (answer.status_code, code(answer)) == (409, "user_exists")


@pytest.mark.parametrize(
    "body",
    [
        {"username": "  ", "password": NEW},
        {"username": "a\nb", "password": NEW},
        {"username": "weak", "password": "short"},
        {"username": "more", "password": NEW, "permissions": ["users:manage"]},
    ],
)
async def test_what_is_no_user_is_refused(admin: httpx.AsyncClient, body: dict[str, str]) -> None:
    """Otherwise accounts have no name, or a password of five letters."""
    assert (await admin.post("/api/users", json=body)).status_code == 422
    unknown = {"username": "someone", "password": NEW, "roles": ["no-such"]}
    assert (await admin.post("/api/users", json=unknown)).status_code == 404


async def test_a_disabled_user_is_out_at_once(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise whoever was let go stays in until the session idles out."""
    user_id, name = await created(admin, "viewer")
    client = await site.log_in(name, NEW)
    disabled = await admin.post(f"/api/users/{user_id}/disable")
    assert disabled.json()["disabled_at"]
    assert (await client.get("/api/auth/me")).status_code == 401
    credential = {"username": name, "password": NEW}
    refused = await site.anonymous().post("/api/auth/login", json=credential)
    assert (refused.status_code, code(refused)) == (401, "wrong_credentials")
    assert (await admin.post(f"/api/users/{user_id}/enable")).json()["disabled_at"] is None
    assert (await client.get("/api/auth/me")).status_code == 401
    await site.log_in(name, NEW)


@pytest.mark.parametrize("what", ["disable", "delete", "demote"])
async def test_the_last_administrator_stays(admin: httpx.AsyncClient, what: str) -> None:
    """Otherwise nobody can undo it."""
    me = (await admin.get("/api/auth/me")).json()["user_id"]
    requests = {
        "disable": admin.post(f"/api/users/{me}/disable"),
        "delete": admin.delete(f"/api/users/{me}"),
        "demote": admin.patch(f"/api/users/{me}", json={"roles": ["viewer"]}),
    }
    answer = await requests.pop(what)
    for unused in requests.values():
        unused.close()
    assert (answer.status_code, code(answer)) == (409, "last_administrator")
    assert (await admin.get("/api/users")).status_code == 200


async def test_two_administrators_cannot_remove_each_other_at_once(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise each sees the other still there, and nobody is left."""
    user_id, name = await created(admin, "administrator")
    me = (await admin.get("/api/auth/me")).json()["user_id"]
    other = await site.log_in(name, NEW)
    answers = await asyncio.gather(
        admin.patch(f"/api/users/{user_id}", json={"roles": []}),
        other.patch(f"/api/users/{me}", json={"roles": []}),
    )
    assert sorted(answer.status_code for answer in answers) != [200, 200]
    async with transaction(site.runtime.pool) as connection:
        await connection.execute("DELETE FROM user_roles WHERE role = 'administrator'")
        await connection.execute("INSERT INTO user_roles VALUES ($1, 'administrator')", me)


async def test_nobody_gives_or_takes_what_they_do_not_hold(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise whoever may make accounts makes an administrator, or becomes one."""
    manager = await site.log_in(await site.add_user([], ["users:manage", "backups:read"]))
    me = (await manager.get("/api/auth/me")).json()["user_id"]
    victim, _ = await created(admin, "administrator")
    mine, _ = await created(manager, "viewer")
    refused = [
        await manager.post(
            "/api/users", json={"username": "x1", "password": NEW, "roles": ["operator"]}
        ),
        await manager.patch(f"/api/users/{me}", json={"roles": ["administrator"]}),
        await manager.patch(f"/api/users/{mine}", json={"roles": ["auditor"]}),
        await manager.put(f"/api/users/{victim}/password", json={"password": NEW}),
        await manager.patch(f"/api/users/{victim}", json={"username": "x2"}),
        await manager.post(f"/api/users/{victim}/disable"),
        await manager.delete(f"/api/users/{victim}"),
        await manager.delete(f"/api/users/{victim}/sessions"),
        await manager.post("/api/roles", json={"name": "x3", "permissions": ["audit:read"]}),
        await manager.patch("/api/roles/administrator", json={"mfa_required": True}),
    ]
    assert {(answer.status_code, code(answer)) for answer in refused} == {(403, "cannot_grant")}
    assert (await admin.delete(f"/api/users/{victim}")).status_code == 204


async def test_an_own_password_is_changed_and_other_sessions_end(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a stolen session outlives the change that was to end it."""
    _, name = await created(admin, "viewer")
    client, other = await site.log_in(name, NEW), await site.log_in(name, NEW)
    wrong = {"current_password": "not this", "new_password": "Other-lamp-battery-32"}
    answer = await client.post("/api/auth/password", json=wrong)
    assert (answer.status_code, code(answer)) == (403, "wrong_factor")
    same = {"current_password": NEW, "new_password": NEW}
    assert (await client.post("/api/auth/password", json=same)).status_code == 422
    right = {"current_password": NEW, "new_password": "Other-lamp-battery-32"}
    assert (await client.post("/api/auth/password", json=right)).status_code == 204
    assert (await client.get("/api/auth/me")).status_code == 200
    assert (await other.get("/api/auth/me")).status_code == 401
    await site.log_in(name, "Other-lamp-battery-32")


async def test_a_login_with_the_former_password_does_not_outlive_the_change(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise whoever has the former password logs in just while it is being changed."""
    _, name = await created(admin, "viewer")
    client = await site.log_in(name, NEW)
    body = {"current_password": NEW, "new_password": "Other-lamp-battery-32"}
    credential = {"username": name, "password": NEW}
    thief = site.anonymous()
    logins = [thief.post("/api/auth/login", json=credential) for _ in range(4)]
    changed, *tries = await asyncio.gather(client.post("/api/auth/password", json=body), *logins)
    assert changed.status_code == 204
    tokens = [answer.json()["token"] for answer in tries if answer.status_code == 200]
    for token in tokens:
        thief.headers["Authorization"] = f"Bearer {token}"
        assert (await thief.get("/api/auth/me")).status_code == 401


async def test_guessing_the_current_password_locks_only_that(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a stolen session guesses the password, or locks its user out."""
    _, name = await created(admin, "viewer")
    client = await site.log_in(name, NEW)
    wrong = {"current_password": "not this", "new_password": "Other-lamp-battery-32"}
    statuses = [(await client.post("/api/auth/password", json=wrong)).status_code for _ in range(6)]
    assert statuses == [403] * 5 + [423]
    await site.log_in(name, NEW)


async def test_a_password_from_somebody_else_has_to_be_changed(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise the administrator who gave it can go on using it."""
    user_id, name = await created(admin, "viewer")
    before = await site.log_in(name, NEW)
    given = "Given-lamp-battery-33"
    path = f"/api/users/{user_id}/password"
    assert (await admin.put(path, json={"password": given})).status_code == 204
    assert (await before.get("/api/auth/me")).status_code == 401
    client = await site.log_in(name, given)
    me = (await client.get("/api/auth/me")).json()
    assert me["limit"] == "password_change"
    for refused in (await client.get("/api/backups"), await client.get("/api/auth/sessions")):
        assert (refused.status_code, code(refused)) == (403, "password_change_required")
    body = {"current_password": given, "new_password": "Other-lamp-battery-34"}
    assert (await client.post("/api/auth/password", json=body)).status_code == 204
    assert (await client.get("/api/backups")).status_code == 200
    own = (await admin.get("/api/auth/me")).json()["user_id"]
    mine = await admin.put(f"/api/users/{own}/password", json={"password": given})
    assert mine.status_code == 409


async def test_who_can_do_what_is_shown(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise permissions that nobody uses stay for ever."""
    _, name = await created(admin, "auditor")
    client = await site.log_in(name, NEW)
    assert (await client.get("/api/backups")).status_code == 200
    async with asyncio.timeout(60):
        while True:
            shown = (await admin.get("/api/users/permissions")).json()["permissions"]
            found = {u["permission"]: u for u in shown if u["user_name"] == name}
            if found["backups:read"]["last_used_at"]:
                break
            await asyncio.sleep(0.1)
    assert found["audit:read"]["last_used_at"] is None
    assert found["backups:read"]["roles"] == ["auditor"]


async def test_changes_are_audited_without_passwords(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise nobody knows who made an administrator, or a password is in the log."""
    await site.audited()
    user_id, _ = await created(admin, "viewer")
    await admin.post(f"/api/users/{user_id}/disable")
    await admin.put(f"/api/users/{user_id}/password", json={"password": "Given-lamp-battery-35"})
    await admin.delete(f"/api/users/{user_id}")
    entries = await site.audited()
    told = [(entry.event_type, entry.entity_id, entry.risk_level) for entry in entries]
    events = ("user_created", "user_disabled", "password_reset", "user_deleted")
    assert told == [(event, user_id, "high") for event in events]
    text = "".join(entry.model_dump_json() for entry in entries)
    assert NEW not in text
    assert "battery-35" not in text
    assert PASSWORD not in text
