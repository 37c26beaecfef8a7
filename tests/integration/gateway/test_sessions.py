"""Sessions: listed, ended, bounded in time, and by cookie."""

import httpx

from integration.gateway.site import PASSWORD, Site, code

COOKIE = "strongroom_session"


async def test_sessions_are_listed_and_ended(site: Site) -> None:
    """Otherwise nobody sees or ends a session that somebody else has."""
    name = await site.add_user(["viewer"])
    first, second, third = [await site.log_in(name) for _ in range(3)]
    listed = (await first.get("/api/auth/sessions")).json()["sessions"]
    assert [each["current"] for each in listed] == [False, False, True]
    assert listed[0]["address"] == "127.0.0.1"
    assert (await first.delete(f"/api/auth/sessions/{listed[0]['id']}")).status_code == 204
    assert (await third.get("/api/auth/me")).status_code == 401
    assert (await first.delete("/api/auth/sessions")).json() == {"ended": 1}
    assert (await second.get("/api/auth/me")).status_code == 401
    assert (await first.get("/api/auth/me")).status_code == 200


async def test_nobody_ends_the_sessions_of_others(site: Site) -> None:
    """Otherwise any user logs the administrator out."""
    admin = await site.log_in()
    session = (await admin.get("/api/auth/sessions")).json()["sessions"][0]["id"]
    viewer = await site.log_in(await site.add_user(["viewer"]))
    assert (await viewer.delete(f"/api/auth/sessions/{session}")).status_code == 404
    assert (await admin.get("/api/auth/me")).status_code == 200


async def test_a_session_ends_however_busy_it_is(site: Site) -> None:
    """Otherwise a stolen token that is used now and then is good for ever."""
    name = await site.add_user(["viewer"])
    client, user_id = await site.log_in(name), await site.user_id(name)
    old = "UPDATE sessions SET created_at = now() - $2 * interval '1 hour' WHERE user_id = $1"
    await site.runtime.pool.execute(old, user_id, 11)
    assert (await client.get("/api/auth/me")).status_code == 200
    await site.runtime.pool.execute(old, user_id, 13)
    assert (await client.get("/api/auth/me")).status_code == 401


async def by_cookie(site: Site, name: str = "admin") -> tuple[httpx.AsyncClient, str, str]:
    """A console in a session by cookie, its CSRF token, and the cookie as it was set."""
    client = site.anonymous()
    body = {"username": name, "password": PASSWORD, "cookie": True}
    answer = await client.post("/api/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token"] is None
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE)]
    return client, answer.json()["csrf_token"], cookie


async def test_a_console_has_its_session_in_a_cookie(site: Site) -> None:
    """Otherwise a script that got into the page takes the session away."""
    client, csrf, cookie = await by_cookie(site)
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    me = (await client.get("/api/auth/me")).json()
    assert (me["name"], me["csrf_token"]) == ("admin", csrf)
    out = await client.post("/api/auth/logout", headers={"X-CSRF-Token": csrf})
    assert out.status_code == 204
    assert (await client.get("/api/auth/me")).status_code == 401


async def test_a_cookie_alone_changes_nothing(site: Site) -> None:
    """Otherwise any page that an administrator opens deletes backups."""
    client, csrf, _ = await by_cookie(site)
    _, other, _ = await by_cookie(site, await site.add_user(["viewer"]))
    for token in ("", "x", other, csrf.upper(), "\xe9"):
        headers = {b"X-CSRF-Token": token.encode("latin-1")}
        refused = await client.post("/api/backups", headers=headers)
        assert (refused.status_code, code(refused)) == (403, "csrf_failed")
    assert (await client.get("/api/backups")).status_code == 200
    accepted = await client.post("/api/backups", headers={"X-CSRF-Token": csrf})
    assert accepted.status_code == 202


async def test_another_site_cannot_log_a_visitor_in(site: Site) -> None:
    """Otherwise a visitor works in an attacker's account without noticing."""
    body = {"username": "admin", "password": PASSWORD, "cookie": True}
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = await site.anonymous().post("/api/auth/login", json=body, headers=headers)
    assert (answer.status_code, code(answer)) == (403, "csrf_failed")
    assert COOKIE not in str(answer.headers)


async def test_a_cookie_that_was_planted_is_not_taken_up(site: Site) -> None:
    """Otherwise an attacker knows the token of the session that a victim logs into."""
    client = site.anonymous()
    client.cookies.set(COOKIE, "planted" * 9)
    body = {"username": "admin", "password": PASSWORD, "cookie": True}
    answer = await client.post("/api/auth/login", json=body)
    assert "planted" not in answer.headers["set-cookie"]
