"""A gateway for the tests of this folder."""

from collections.abc import AsyncIterator, Callable

import pytest

from integration.gateway.site import Site, running


@pytest.fixture(scope="module")
async def site(database_url: Callable[[str], str]) -> AsyncIterator[Site]:
    """A gateway on an empty database, for one module."""
    async with running(database_url("gateway")) as found:
        yield found
