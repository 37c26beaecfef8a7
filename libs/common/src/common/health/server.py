"""HTTP inside a service: uvicorn that leaves signals and logging to the service."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from common.errors import Unavailable
from common.health.certificate import Certificate

_START_SECONDS = 10.0


class _Server(uvicorn.Server):
    """The service decides when to stop, so this server installs no signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        Unavailable: the port is taken or may not be used; the message says which.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY: each answer is 40 ms late without it.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise Unavailable(
            f"Port {port} on {host} cannot be used: {error.strerror}.",
            remedy="Stop what uses it, or set another port.",
        ) from error
    sock.setblocking(False)
    return sock


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    grace: float = 5.0,
    certificate: Certificate | None = None,
) -> AsyncIterator[int]:
    """Serve ``app`` for the length of the block; yields the port, also where 0 was asked for.

    With a ``certificate`` by HTTPS alone.

    At the end no connection is accepted any more, and requests get ``grace`` seconds to end.
    """
    sock = listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        # The address in a header is whatever the client says: audit and limits need the real one.
        proxy_headers=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=max(int(grace), 1),
    )
    config.load()
    following = None
    if certificate is not None:
        config.ssl = certificate.context()
        following = asyncio.create_task(certificate.follow(config.ssl))
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.01)
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=grace + 2)
        task.cancel()
        if following is not None:
            following.cancel()
        sock.close()
