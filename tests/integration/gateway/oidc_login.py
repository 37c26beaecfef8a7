"""People who log in at the organisation's provider, as their browsers do it."""

from typing import Any
from uuid import uuid4

import httpx

from integration.gateway.oidc_provider import Provider
from integration.gateway.site import Site

LOGIN, CALLBACK = "/api/auth/oidc/login", "/api/auth/oidc/callback"


def person(**claims: Any) -> dict[str, Any]:
    """What the provider says of somebody new, in the group ``ops`` unless it says otherwise."""
    subject = uuid4().hex
    known = {"sub": subject, "preferred_username": f"cy-{subject[:8]}", "groups": ["ops"]}
    return {**known, **claims}


async def logged_in(
    site: Site, organisation: Provider, **claims: Any
) -> tuple[httpx.AsyncClient, httpx.Response]:
    """A browser that has been at the provider, and what it was answered when it came back."""
    browser = site.anonymous()
    sent = await browser.get(LOGIN)
    assert sent.status_code == 303, sent.text
    back = organisation.log_in(sent.headers["location"], **claims)
    return browser, await browser.get(CALLBACK, params=back)
