import pytest

from gateway.identity.access import guarded_router, needs, public, session
from gateway.identity.admitting import Access
from gateway.identity.domain import Permission


async def endpoint() -> None:
    """Do nothing."""


def test_a_route_that_declares_nothing_cannot_be_made() -> None:
    """Otherwise a forgotten declaration opens a route to everybody."""
    router = guarded_router()
    with pytest.raises(TypeError, match="declares neither"):
        router.add_api_route("/new", endpoint)


@pytest.mark.parametrize(
    ("declare", "access"),
    [
        (public, Access(public=True)),
        (session(), Access()),
        (needs(Permission.AUDIT_READ), Access(permission=Permission.AUDIT_READ)),
    ],
)
def test_a_route_knows_who_may_use_it(declare: object, access: Access) -> None:
    """Otherwise a permission is declared and not checked."""

    async def declared() -> None:
        """Do nothing."""

    router = guarded_router()
    router.add_api_route("/new", declare(declared))  # type: ignore[operator]
    (route,) = router.routes
    assert route.access == access  # type: ignore[attr-defined]
