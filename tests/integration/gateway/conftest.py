"""A gateway for the tests of this folder."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

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
