"""Users of ours who log in by the organisation's provider: linked by an act, never by a name."""

from typing import Any

import httpx

from integration.gateway.oidc_login import CALLBACK, logged_in, person
from integration.gateway.oidc_provider import Provider
from integration.gateway.site import PASSWORD, Site, code
from integration.gateway.soft_authenticator import SoftAuthenticator

LINK = "/api/auth/oidc/link"


async def link(
    client: httpx.AsyncClient, organisation: Provider, claims: dict[str, Any]
) -> httpx.Response:
    """The signed-in user goes to the provider and comes back, without any cookie of a session."""
    begun = await client.post(LINK)
    assert begun.status_code == 200, begun.text
    back = organisation.log_in(begun.json()["address"], **claims)
    return await client.get(CALLBACK, params=back, headers={"Authorization": ""})


async def test_a_signed_in_user_links_the_account(joined: Site, organisation: Provider) -> None:
    """Otherwise users of ours keep a password more, or the provider changes what they may do."""
    name, claims = await joined.add_user(["auditor"]), person(groups=[])
    client = await joined.log_in(name)
    _, stranger = await logged_in(joined, organisation, **claims)
    assert code(stranger) == "oidc_no_role"
    linked = await link(client, organisation, claims)
    assert (linked.status_code, linked.headers["location"]) == (303, "/")
    assert "strongroom_session" not in linked.headers.get("set-cookie", "")
    browser, answer = await logged_in(joined, organisation, **{**claims, "groups": ["ops"]})
    assert answer.status_code == 303
    me = (await browser.get("/api/auth/me")).json()
    assert (me["name"], me["permissions"]) == (name, ["audit:read", "backups:read"])
    assert (await client.delete(LINK)).status_code == 204
    _, stranger = await logged_in(joined, organisation, **claims)
    assert code(stranger) == "oidc_no_role"


async def test_a_person_is_one_user_and_a_user_one_person(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise a login opens whichever account was linked last."""
    claims = person()
    first = await joined.log_in(await joined.add_user(["viewer"]))
    second = await joined.log_in(await joined.add_user(["administrator"]))
    assert (await link(first, organisation, claims)).status_code == 303
    assert (await link(first, organisation, claims)).status_code == 303
    taken = await link(second, organisation, claims)
    assert (taken.status_code, code(taken)) == (409, "person_taken")
    other = await link(first, organisation, person())
    assert (other.status_code, code(other)) == (409, "already_linked")


async def test_a_link_ends_with_the_session_and_is_of_its_browser(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise a victim who follows a link of an attacker gives the attacker an account."""
    name, claims = await joined.add_user(["viewer"]), person()
    client = await joined.log_in(name)
    address = (await client.post(LINK)).json()["address"]
    back = organisation.log_in(address, **claims)
    victim = await joined.anonymous().get(CALLBACK, params=back)
    assert (victim.status_code, code(victim)) == (401, "oidc_refused")
    back = organisation.log_in((await client.post(LINK)).json()["address"], **claims)
    assert (await client.post("/api/auth/logout")).status_code == 204
    late = await client.get(CALLBACK, params=back)
    assert (late.status_code, code(late)) == (401, "oidc_refused")
    stale = await joined.log_in(name)
    await joined.runtime.pool.execute(
        "UPDATE sessions SET proven_at = now() - interval '6 minutes'"
    )
    assert code(await stale.post(LINK)) == "step_up_required"


async def test_an_administrator_links_others_who_may_no_more(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise a manager of users becomes the administrator by naming a person."""
    claims, admin = person(), await joined.log_in()
    user_id = await joined.user_id(await joined.add_user(["auditor"]))
    path, body = f"/api/users/{user_id}/oidc", {"subject": claims["sub"]}
    manager = await joined.log_in(await joined.add_user([], ["users:manage"]))
    assert code(await manager.put(path, json=body)) == "cannot_grant"
    assert (await admin.put(path, json=body)).status_code == 204
    found = (await admin.get(f"/api/users/{user_id}")).json()
    assert (found["external"], found["linked"]) == (True, True)
    browser, _ = await logged_in(joined, organisation, **claims)
    assert (await browser.get("/api/auth/me")).json()["user_id"] == user_id
    own = (await admin.get("/api/auth/me")).json()["user_id"]
    assert (await admin.put(f"/api/users/{own}/oidc", json={"subject": "x"})).status_code == 409
    assert code(await manager.delete(path)) == "cannot_grant"
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.delete(path)).status_code == 404
    told = [entry.event_type for entry in await joined.audited()]
    assert {"user_linked", "user_unlinked"} <= set(told)


async def test_whom_the_provider_decides_about_has_no_way_around_it(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise whoever left the organisation stays in by a passkey, or by parting."""
    claims = person()
    browser, _ = await logged_in(joined, organisation, **claims)
    me = (await browser.get("/api/auth/me")).json()
    browser.headers["X-CSRF-Token"] = me["csrf_token"]
    parted = await browser.delete(LINK)
    assert (parted.status_code, code(parted)) == (409, "no_other_way_in")
    device = SoftAuthenticator()
    asked = (await browser.post("/api/auth/passkeys/registration")).json()
    made = {"token": asked["token"], "credential": device.make(asked["options"])}
    assert (await browser.post("/api/auth/passkeys", json=made)).status_code == 201
    assert code(await browser.delete(LINK)) == "no_other_way_in"
    stranger = joined.anonymous()
    asked = (await stranger.post("/api/auth/passkeys/login/begin")).json()
    body = {"token": asked["token"], "credential": device.sign(asked["options"])}
    refused = await stranger.post("/api/auth/passkeys/login", json=body)
    assert (refused.status_code, code(refused)) == (403, "only_by_provider")
    assert (await joined.log_in("admin", PASSWORD)).headers["Authorization"]
