"""The edge of the network: which proxy is believed, which host is meant, which site may ask."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import Invalid
from common.web.errors import error_response

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LONGEST_CHAIN = 32


@dataclass(frozen=True)
class Edge:
    """What is believed and let in.

    ``proxies`` are addresses or networks whose X-Forwarded-* headers are believed. ``hosts`` are
    the names under which the application may be asked for; ``None`` checks nothing, and none at all
    means this machine's own names and addresses, which no other site can point a browser at.
    ``hsts`` is in seconds; 0 sends none. ``origins`` are other sites whose pages may ask.
    """

    proxies: Sequence[str] = ()
    hosts: Sequence[str] | None = None
    hsts: int = 0
    origins: Sequence[str] = ()
    probes: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """The proxies.

        Raises:
            Invalid: one of them is neither an address nor a network.
        """
        try:
            return tuple(ipaddress.ip_network(each, strict=False) for each in self.proxies)
        except ValueError as error:
            raise Invalid(f"A trusted proxy is no address and no network: {error}.") from error

    def trusts(self, address: str) -> bool:
        """Whether this peer is one of the proxies."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)

    def serves(self, host: str) -> bool:
        """Whether the application may be asked for under this Host header."""
        if self.hosts is None:
            return True
        name = host_name(host)
        if name is None:
            return False
        if self.hosts:
            return name in {each.lower() for each in self.hosts} or _loopback(name)
        own = socket.gethostname().lower()
        return _is_address(name) or name in {"localhost", own} or name.endswith(".localhost")


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in small letters, without port; None if malformed."""
    name, separator, port = host, "", ""
    if host.startswith("["):
        name, closing, rest = host[1:].partition("]")
        separator, port = rest[:1], rest[1:]
        if not closing or separator not in {"", ":"} or not _is_address(name):
            return None
    elif ":" in host:
        name, separator, port = host.partition(":")
    if separator and not (port.isascii() and port.isdecimal()):
        return None
    allowed = name.replace(".", "").replace("-", "").replace("_", "").replace(":", "")
    return name.lower().rstrip(".") if allowed.isascii() and allowed.isalnum() else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


class TrustedProxies:
    """Puts the client's own address and scheme into the request, where a trusted proxy tells them.

    The chain is read from its end: the last address that is no trusted proxy is the client. What
    stands before it is the client's own word.
    """

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self.app = app
        self.edge = edge
        _ = edge.networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as the proxy saw it."""
        client = scope.get("client")
        if scope["type"] == "http" and client and self.edge.trusts(client[0]):
            headers = Headers(scope=scope)
            scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
            if scheme in {"http", "https"}:
                scope["scheme"] = scheme
            if address := self._client(headers.getlist("x-forwarded-for")):
                scope["client"] = (address, 0)
        await self.app(scope, receive, send)

    def _client(self, fields: Sequence[str]) -> str:
        chain = [part.strip() for field in fields for part in field.split(",")][-LONGEST_CHAIN:]
        client = ""
        for told in reversed(chain):
            address = host_name(told) if not _is_address(told) else told
            if address is None or not _is_address(address):
                break
            client = address
            if not self.edge.trusts(address):
                break
        return client


class HostCheck:
    """Refuses requests under a name that is not the application's."""

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self.app = app
        self.edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its Host header is one, and the right one."""
        if scope["type"] == "http" and scope["path"] not in self.edge.probes:
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not self.edge.serves(hosts[0]):
                remedy = "Add the name to STRONGROOM_ALLOWED_HOSTS of the server."
                response = error_response(
                    400,
                    "host_not_allowed",
                    "This server does not answer under that name.",
                    {"remedy": remedy},
                )
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)
