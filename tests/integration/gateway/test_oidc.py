"""Login by OpenID Connect, at a provider of the tests' own."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from integration.gateway.oidc_login import CALLBACK, LOGIN, logged_in, person
from integration.gateway.oidc_provider import CLIENT, SECRET, Provider
from integration.gateway.site import Site, code, running


@pytest.fixture(autouse=True)
def honest(organisation: Provider) -> Iterator[None]:
    """The provider tells the truth again after each test."""
    yield
    organisation.lies.clear()
    organisation.signer = organisation.key
    organisation.header = {"alg": "RS256", "kid": organisation.key.kid}


async def test_a_login_there_is_a_session_here(joined: Site, organisation: Provider) -> None:
    """Otherwise everybody has one password more, which nobody takes away when they leave."""
    claims = person()
    browser, answer = await logged_in(joined, organisation, **claims)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    me = (await browser.get("/api/auth/me")).json()
    assert me["name"] == claims["preferred_username"]
    assert "backups:create" in me["permissions"]
    assert (await browser.post("/api/backups")).status_code == 403
    csrf = {"X-CSRF-Token": me["csrf_token"]}
    assert (await browser.post("/api/backups", headers=csrf)).status_code == 202
    again, _ = await logged_in(joined, organisation, **{**claims, "groups": ["checkers", "x"]})
    other = (await again.get("/api/auth/me")).json()
    assert other["user_id"] == me["user_id"]
    assert other["permissions"] == ["audit:read", "backups:read"]
    assert (await browser.get("/api/auth/me")).json()["permissions"] == other["permissions"]


async def test_whose_groups_mean_nothing_here_stays_out(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise everybody in the organisation has an account."""
    _, answer = await logged_in(joined, organisation, **person(groups=["sales"]))
    assert (answer.status_code, code(answer)) == (403, "oidc_no_role")
    claims = person(groups=["sales"])
    await logged_in(joined, organisation, **claims)
    assert await joined.user_id(claims["preferred_username"]) == "None"


async def test_nobody_becomes_a_local_user_by_a_name(joined: Site, organisation: Provider) -> None:
    """Otherwise whoever may choose a name at the provider becomes the administrator here."""
    browser, answer = await logged_in(
        joined, organisation, **person(preferred_username="ADMIN", groups=["ops"])
    )
    assert (answer.status_code, code(answer)) == (409, "user_exists")
    assert (await browser.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"iss": "http://another.example"},
        {"exp": 1},
        {"sub": ""},
        {"sub": 7},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_is_refused(
    joined: Site, organisation: Provider, lies: dict[str, Any]
) -> None:
    """Otherwise a token of another login, client or time opens a session."""
    organisation.lies.update(lies)
    _, answer = await logged_in(joined, organisation, **person())
    assert (answer.status_code, code(answer)) == (401, "oidc_refused")


@pytest.mark.parametrize("how", ["another key", "a shared secret"])
async def test_a_token_that_is_signed_wrongly_is_refused(
    joined: Site, organisation: Provider, how: str
) -> None:
    """Otherwise anybody writes their own tokens."""
    organisation.signer = RSAKey.generate_key(2048)
    if how == "a shared secret":
        organisation.signer = OctKey.import_key(SECRET * 2)
        organisation.header = {"alg": "HS256", "kid": "first"}
    _, answer = await logged_in(joined, organisation, **person())
    assert (answer.status_code, code(answer)) == (401, "oidc_refused")


async def test_what_comes_back_counts_once_and_in_the_same_browser(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise a victim is logged in as the attacker, or an answer is used twice."""
    sent = await joined.anonymous().get(LOGIN)
    back = organisation.log_in(sent.headers["location"], **person())
    victim = joined.anonymous()
    answer = await victim.get(CALLBACK, params=back)
    assert (answer.status_code, code(answer)) == (401, "oidc_refused")
    browser = joined.anonymous()
    sent = await browser.get(LOGIN)
    back = organisation.log_in(sent.headers["location"], **person())
    cookie = {"Cookie": f"strongroom_oidc={browser.cookies['strongroom_oidc']}"}
    tries = [joined.anonymous().get(CALLBACK, params=back, headers=cookie) for _ in range(3)]
    answers = await asyncio.gather(*tries)
    assert sorted(answer.status_code for answer in answers) == [303, 401, 401]
    unknown = await browser.get(CALLBACK, params={"code": "x", "state": "x"})
    assert unknown.status_code == 401


async def test_a_disabled_user_does_not_come_in_by_the_provider(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise disabling somebody here is undone by the next login there."""
    claims = person()
    await logged_in(joined, organisation, **claims)
    admin = await joined.log_in()
    user_id = await joined.user_id(claims["preferred_username"])
    assert (await admin.post(f"/api/users/{user_id}/disable")).is_success
    _, answer = await logged_in(joined, organisation, **claims)
    assert answer.status_code == 401


async def test_the_providers_second_factor_counts_if_it_is_trusted(
    joined: Site, organisation: Provider
) -> None:
    """Otherwise people give two second factors, or none where one is asked for."""
    claims = person(groups=["bosses"])
    browser, _ = await logged_in(joined, organisation, **claims)
    assert (await browser.get("/api/auth/me")).json()["limit"] == "mfa_enrolment"
    browser, _ = await logged_in(joined, organisation, **claims, amr=["pwd", "mfa"])
    assert (await browser.get("/api/auth/me")).json()["limit"] is None


async def test_a_new_key_of_the_provider_is_found(
    joined: Site, organisation: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody gets in for an hour after the provider has changed its keys."""
    organisation.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
    organisation.signer = organisation.key
    organisation.header = {"alg": "RS256", "kid": "second"}
    monkeypatch.setattr("gateway.oidc.provider.AGAIN_SECONDS", 0.0)
    _, answer = await logged_in(joined, organisation, **person())
    assert answer.status_code == 303


async def test_a_provider_that_is_away_is_said(database_url: Callable[[str], str]) -> None:
    """Otherwise a login ends in an error that nobody understands."""
    settings = {"gateway_oidc_issuer": "http://127.0.0.1:9", "gateway_oidc_client_id": CLIENT}
    async with running(database_url("gateway"), **settings) as site:
        answer = await site.anonymous().get(LOGIN)
        assert answer.status_code == 503
