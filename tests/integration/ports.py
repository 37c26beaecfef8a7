"""Ports for servers of the tests, which nobody takes between their choice and their use."""

import os
import secrets
import socket
from collections.abc import Iterator
from itertools import islice

_FIRST, _SHARE, _SHARES = 20_000, 1_500, 8
"""Below what the kernel gives to clients; a share for each of the test processes side by side."""


def _share() -> Iterator[int]:
    """The free ports of this process, one after another, none twice before all had their turn."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    place = secrets.randbelow(_SHARE)
    while True:
        place = (place + 1) % _SHARE
        port = _FIRST + _SHARE * (number % _SHARES) + place
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


_PORTS = _share()


def free_ports(count: int) -> list[int]:
    """Different ones."""
    return list(islice(_PORTS, count))


def free_port() -> int:
    """One."""
    return next(_PORTS)
