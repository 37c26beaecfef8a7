"""Ports for servers of the tests, which nobody takes between their choice and their use."""

import os
import secrets
import socket

_FIRST, _SHARE, _SHARES = 20_000, 1_500, 8
"""Below what the kernel gives to clients; a share for each of the test processes side by side."""


def free_ports(count: int) -> list[int]:
    """Different ones."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST + _SHARE * (number % _SHARES)
    found: list[int] = []
    while len(found) < count:
        port = first + secrets.randbelow(_SHARE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def free_port() -> int:
    """One."""
    return free_ports(1)[0]
