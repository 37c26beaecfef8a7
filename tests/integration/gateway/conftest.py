"""A gateway for the tests of this folder."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from integration.gateway.oidc_provider import CLIENT, SECRET, Provider, provider
from integration.gateway.site import Site, running


@pytest.fixture(scope="module")
async def site(database_url: Callable[[str], str]) -> AsyncIterator[Site]:
    """A gateway on an empty database, for one module."""
    async with running(database_url("gateway")) as found:
        yield found


@pytest.fixture(scope="module")
async def admin(site: Site) -> httpx.AsyncClient:
    """The administrator, in one session for the module."""
    return await site.log_in()


@pytest.fixture
async def quiet(site: Site) -> None:
    """No command or audit entry of an earlier test waits."""
    await site.quiet()


@pytest.fixture(scope="module")
def organisation() -> Iterator[Provider]:
    """The provider at which an organisation's people log in."""
    with provider() as found:
        yield found


@pytest.fixture(scope="module")
async def joined(organisation: Provider, database_url: Callable[[str], str]) -> AsyncIterator[Site]:
    """A gateway that trusts the organisation."""
    settings = {
        "gateway_oidc_issuer": organisation.url,
        "gateway_oidc_client_id": CLIENT,
        "gateway_oidc_client_secret": SECRET,
        "gateway_oidc_group_roles": {"ops": "operator", "checkers": "auditor", "bosses": "strict"},
        "gateway_oidc_trusts_mfa": True,
    }
    async with running(database_url("gateway"), **settings) as site:
        await site.runtime.pool.execute(
            "INSERT INTO roles (name, permissions, mfa_required) VALUES ('strict', '{}', true)"
        )
        yield site
