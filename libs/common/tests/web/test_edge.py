"""Which hosts and proxies are believed: the decisions."""

import pytest

from common.errors import Invalid
from common.web.edge import Edge, TrustedProxies, host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Example.com", "example.com"),
        ("example.com.:8443", "example.com"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("[::1]", "::1"),
        ("[::1", None),
        ("[::1]x", None),
        ("[x]:1", None),
        ("a:b", None),
        ("a:", None),
        ("a/b", None),
        ("a@b", None),
        ("a b", None),
        ("ż.com", None),
        ("", None),
    ],
)
def test_a_host_header_is_read_strictly(host: str, name: str | None) -> None:
    """Otherwise what one part of a chain takes for the host is not what another does."""
    assert host_name(host) == name


def test_without_a_list_no_foreign_name_is_served() -> None:
    """Otherwise a page whose name is pointed here reads through a visitor's browser."""
    edge = Edge(hosts=())
    served = ["localhost", "api.localhost:1", "192.0.2.1", "[2001:db8::1]:80"]
    assert all(edge.serves(host) for host in served)
    assert not any(edge.serves(host) for host in ("evil.example", "localhost.evil.example", ""))
    assert Edge().serves("anything")


def test_a_list_of_hosts_leaves_loopback_in() -> None:
    """Otherwise a health check in the container fails when a name is set."""
    edge = Edge(hosts=["Backup.example.com"])
    assert all(edge.serves(host) for host in ("backup.example.com:1", "127.0.0.1", "[::1]"))
    assert not edge.serves("192.0.2.1")


def test_a_proxy_that_is_none_is_said_at_once() -> None:
    """Otherwise a typing error is believed to be a setting."""
    with pytest.raises(Invalid, match="trusted proxy"):
        TrustedProxies(lambda *_: None, Edge(proxies=["proxy.example.com"]))  # type: ignore[arg-type]


async def seen(peer: str, headers: list[tuple[bytes, bytes]]) -> tuple[str, str]:
    """The address and scheme that the application sees."""
    found = {}

    async def app(scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        found.update(scope)

    edge = Edge(proxies=["10.0.0.0/8", "2001:db8::/32"])
    scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": headers}
    await TrustedProxies(app, edge)(scope, None, None)  # type: ignore[arg-type]
    return found["client"][0], found["scheme"]


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("10.0.0.1", b"192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", b"203.0.113.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", b"192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", b"[2001:db9::1]:4711", "2001:db9::1"),
        ("10.0.0.1", b"junk, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", b"junk", "10.0.0.1"),
        ("192.0.2.7", b"203.0.113.9", "192.0.2.7"),
        ("unix", b"203.0.113.9", "unix"),
    ],
)
async def test_the_client_is_the_last_that_no_proxy_of_ours_vouches_for(
    peer: str, chain: bytes, client: str
) -> None:
    """Otherwise anybody is whoever he says, to limits and to the audit log."""
    headers = [(b"x-forwarded-for", chain), (b"x-forwarded-proto", b"https")]
    trusted = peer.startswith("10.")
    assert await seen(peer, headers) == (client, "https" if trusted else "http")
