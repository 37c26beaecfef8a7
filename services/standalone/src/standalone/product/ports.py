"""Whether the address that the gateway is to listen on can be had."""

import errno
import socket

from common.errors import Conflict, Forbidden, Invalid


def require_free(host: str, port: int) -> None:
    """Refuse, before anything is started, an address that cannot be listened on."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (socket.gaierror, OverflowError) as error:
        raise Invalid(
            f"'{host}' is no address of this machine.", remedy="Name one with --host."
        ) from error
    except OSError as error:
        raise _refusal(error, host, port) from error


def _refusal(error: OSError, host: str, port: int) -> Conflict | Forbidden | Invalid:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {port} on {host} is already used by another program.",
            remedy="Stop that program, or choose another port with --port (make: PORT=...).",
        )
    if error.errno == errno.EACCES:
        return Forbidden(
            f"Port {port} may be used by root alone.",
            remedy="Choose a port above 1023 with --port (make: PORT=...).",
        )
    return Invalid(
        f"Strongroom cannot listen on {host}: {(error.strerror or '').lower()}.",
        remedy="Name an address of this machine with --host.",
    )
