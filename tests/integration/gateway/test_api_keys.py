"""API keys: never more than their owners, never longer than they should."""

from typing import Any
from uuid import uuid4

import httpx

from common.messages import uuid7
from integration.gateway.site import Site, code, completed


async def made(owner: httpx.AsyncClient, *scopes: str, **more: Any) -> tuple[str, str]:
    """A new key's id and secret."""
    body = {"name": uuid4().hex, "scopes": scopes, **more}
    answer = await owner.post("/api/api-keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["api_key"]["id"], answer.json()["key"]


def using(site: Site, key: str) -> httpx.AsyncClient:
    """A program that has the key."""
    client = site.anonymous()
    client.headers["Authorization"] = f"Bearer {key}"
    return client


async def test_a_key_works_until_it_is_revoked(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise programs use somebody's password, or a lost key is for ever."""
    key_id, key = await made(admin, "backups:read")
    program = using(site, key)
    assert (await program.get("/api/backups")).status_code == 200
    me = (await program.get("/api/auth/me")).json()
    assert (me["name"], me["permissions"]) == ("admin", ["backups:read"])
    listed = (await admin.get("/api/api-keys")).json()["api_keys"]
    (shown,) = [each for each in listed if each["id"] == key_id]
    assert key.startswith(shown["prefix"])
    assert shown["last_used_at"]
    assert key not in str(listed)
    assert (await admin.delete(f"/api/api-keys/{key_id}")).status_code == 204
    assert (await program.get("/api/backups")).status_code == 401
    assert (await admin.delete(f"/api/api-keys/{key_id}")).status_code == 404


async def test_a_key_is_stored_only_as_its_digest(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise who reads the database has every key."""
    _, key = await made(admin, "backups:read")
    rows = await site.runtime.pool.fetch("SELECT api_keys::text AS text FROM api_keys")
    assert rows
    assert not any(key[13:] in row["text"] for row in rows)


async def test_a_key_never_does_more_than_its_owner_may_now(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise whoever is demoted goes on through a key."""
    name = await site.add_user(["operator"])
    owner, user_id = await site.log_in(name), await site.user_id(name)
    refused = await owner.post("/api/api-keys", json={"name": "x", "scopes": ["audit:read"]})
    assert (refused.status_code, code(refused)) == (403, "cannot_grant")
    _, key = await made(owner, "backups:read", "backups:create")
    program = using(site, key)
    assert (await program.post("/api/backups")).status_code == 202
    assert (await admin.patch(f"/api/users/{user_id}", json={"roles": ["viewer"]})).is_success
    assert (await program.post("/api/backups")).status_code == 403
    assert (await program.get("/api/backups")).status_code == 200
    assert (await program.delete(f"/api/backups/{uuid7()}")).status_code == 403
    assert (await admin.post(f"/api/users/{user_id}/disable")).is_success
    assert (await admin.post(f"/api/users/{user_id}/enable")).is_success
    assert (await program.get("/api/backups")).status_code == 401


async def test_a_key_expires(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a key of a project outlives it."""
    key_id, key = await made(admin, "backups:read", expires_in_days=1)
    past = "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = $1"
    await site.runtime.pool.execute(past, key_id)
    assert (await using(site, key).get("/api/backups")).status_code == 401


async def test_a_key_is_no_session(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise a key makes more keys, or changes its owner's password and factors."""
    _, key = await made(admin, "users:manage", sensitive=True)
    program = using(site, key)
    body = {"name": "more", "scopes": ["users:manage"]}
    passwords = {"current_password": "x", "new_password": "Wrong-lamp-battery-31"}
    refused = [
        await program.post("/api/api-keys", json=body),
        await program.post("/api/auth/password", json=passwords),
        await program.post("/api/auth/mfa/totp"),
        await program.get("/api/auth/sessions"),
        await program.post("/api/auth/logout"),
        await program.post("/api/auth/step-up", json={"password": "x"}),
    ]
    assert {(answer.status_code, code(answer)) for answer in refused} == {(403, "session_required")}


async def test_only_a_key_made_for_it_does_what_is_sensitive(
    site: Site, admin: httpx.AsyncClient
) -> None:
    """Otherwise a key that lies in a script deletes every backup."""
    backup_id = await site.backup()
    scopes = ("backups:read", "backups:delete", "backups:restore")
    _, key = await made(admin, *scopes)
    program = using(site, key)
    in_place = {"in_place": True}
    name = (await admin.get(f"/api/backups/{backup_id}")).json()["name"]
    refused = [
        await program.delete(f"/api/backups/{backup_id}"),
        await program.post(f"/api/backups/{backup_id}/restore", json=in_place),
        await program.post(
            "/api/v2/enhanced-backup/restore", json={"backup_name": name, **in_place}
        ),
    ]
    assert {(answer.status_code, code(answer)) for answer in refused} == {(403, "step_up_required")}
    assert (await program.post(f"/api/backups/{backup_id}/restore")).status_code == 202
    _, sensitive = await made(admin, *scopes, sensitive=True)
    other = await site.backup()
    assert (await using(site, sensitive).delete(f"/api/backups/{other}")).status_code == 202


async def test_a_key_of_a_station_sees_no_other(site: Site, admin: httpx.AsyncClient) -> None:
    """Otherwise one till reads, restores or deletes the backups of all."""
    other = str(uuid7())
    await site.tell(completed(other, f"of-till-2-{other[-6:]}", station="till-2"))
    own = str(uuid7())
    await site.tell(completed(own, f"of-till-1-{own[-6:]}", station="till-1"))
    await site.settled()
    _, key = await made(admin, "manage_settings", "audit:read", station="till-1", sensitive=True)
    program = using(site, key)
    listed = (await program.get("/api/backups")).json()["backups"]
    assert {backup["station"] for backup in listed} == {"till-1"}
    assert (await program.get(f"/api/backups/{own}")).status_code == 200
    assert (await program.post("/api/backups", json={"station": "till-1"})).status_code == 202
    refused = [
        await program.get("/api/backups", params={"station": "till-2"}),
        await program.get(f"/api/backups/{other}"),
        await program.post("/api/backups"),
        await program.post("/api/backups", json={"station": "till-2"}),
        await program.post(f"/api/backups/{other}/verify"),
        await program.post(f"/api/backups/{other}/restore"),
        await program.delete(f"/api/backups/{other}"),
        await program.get("/api/backups/overview"),
        await program.get("/api/restores"),
        await program.get("/api/events/stream"),
        await program.get("/api/v2/enhanced-backup/list"),
        await program.get("/api/v2/security/audit-logs"),
    ]
    assert {answer.status_code for answer in refused} == {403}


async def test_names_are_unique_and_keys_few(site: Site) -> None:
    """Otherwise nobody knows which key is which."""
    owner = await site.log_in(await site.add_user(["viewer"]))
    body = {"name": "same", "scopes": ["backups:read"]}
    assert (await owner.post("/api/api-keys", json=body)).status_code == 201
    again = await owner.post("/api/api-keys", json=body)
    assert (again.status_code, code(again)) == (409, "api_key_exists")
    assert (await owner.post("/api/api-keys", json={"name": "x", "scopes": []})).status_code == 422
    others = (await site.log_in()).get("/api/api-keys")
    key_id = (await owner.get("/api/api-keys")).json()["api_keys"][0]["id"]
    assert key_id not in (await others).text
    assert (await (await site.log_in()).delete(f"/api/api-keys/{key_id}")).status_code == 404
