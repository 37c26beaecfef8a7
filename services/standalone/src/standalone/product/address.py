"""Where the API is."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LOCAL = "localhost"
HERE = "this machine alone"
Test = Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gateway listens; with a ``certificate`` it speaks https alone."""

    host: str
    port: int
    certificate: Path | None = None

    @property
    def url(self) -> str:
        """The address of the API, as this machine reaches it."""
        # Certificates have names, rarely numbers.
        named = self.certificate is not None and self.reach == HERE
        if named or self._is(lambda found: found.is_unspecified):
            return self._url(LOCAL)
        return self._url(self.host)

    @property
    def console_url(self) -> str:
        """The address for browsers: passkeys belong to a name, never to a number."""
        return self._url(LOCAL if self._is(lambda _: True) else self.host)

    @property
    def reach(self) -> str:
        """Who can reach it."""
        if self.host == LOCAL or self._is(lambda found: found.is_loopback):
            return HERE
        if self._is(lambda found: found.is_unspecified):
            return "every address of this machine"
        return "whoever reaches this address"

    @property
    def in_clear(self) -> bool:
        """Whether passwords can be read on the way to it."""
        return self.certificate is None and self.reach != HERE

    def _is(self, test: Test) -> bool:
        try:
            return test(ipaddress.ip_address(self.host))
        except ValueError:
            return False

    def _url(self, host: str) -> str:
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
