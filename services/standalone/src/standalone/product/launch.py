"""From a data directory to a running product, and back: what ``up`` and ``first-backup`` share."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import StreamHandler
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import Any

from common.config import Settings
from common.errors import Conflict, Unavailable
from common.observability import configure_logging, configure_tracing, shutdown_tracing
from common.service import Runtime
from common.service.environment import load
from gateway.identity.bootstrap import FirstAdministrator
from standalone import console
from standalone.postgres import Cluster
from standalone.product import components_file
from standalone.product.address import Address
from standalone.product.datadir import DataDirectory
from standalone.product.ports import require_free
from standalone.product.services import GATEWAY, running
from standalone.product.settings import StandaloneSettings
from standalone.product.wiring import ENCRYPTION_KEY, Wiring, keys_of

FIRST_PASSWORD = "first-administrator-password"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class Session:
    """The running product, for the work that is done with it."""

    directory: DataDirectory
    cluster: Cluster
    address: Address
    gateway: Runtime[Any]
    first_password: str
    """The administrator's, where it was made just now and nobody has seen it; else empty."""


Work = Callable[[Session], Awaitable[None]]


class Launch:
    """One run of the product, from its start to its orderly end."""

    def __init__(self, data: Path, host: str, port: int, source: Path | None = None) -> None:
        self._directory = DataDirectory(data)
        self._settings = load(StandaloneSettings)
        self._address = Address(host, port, self._settings.gateway_tls_certificate)
        self._source = source
        self._begin = time.monotonic()

    def run(self, work: Work) -> None:
        """Start everything, do ``work``, stop everything. SIGINT and SIGTERM cancel the work.

        Raises:
            Error: something cannot be used, or a service failed; nothing runs any more.
        """
        os.umask(0o077)
        for number in _stopping():
            signal.signal(number, _interrupt)  # until the event loop takes them over
        require_free(self._address.host, self._address.port)
        with self._directory.opened():
            self._say(f"data directory {self._directory.path}")
            keys = keys_of(self._directory)
            self._configure_logs()
            self._say("starting the database")
            with self._settings.cluster(self._directory.postgres) as cluster:
                self._describe_source(cluster)
                self._say("starting the services")
                asyncio.run(self._serve(cluster, Wiring(self._directory, cluster, keys), work))
                self._say("stopping the database")
        shutdown_tracing()
        self._say("stopped")

    def _describe_source(self, cluster: Cluster) -> None:
        path = self._directory.components
        if not components_file.ensure(self._directory, cluster, self._source):
            raise Conflict(
                f"{path} was changed by hand: it says what is backed up, not SOURCE.",
                remedy="Start with `strongroom up` and back up with `strongroom backup`.",
            )

    def _say(self, what: str) -> None:
        console.note(f"{time.monotonic() - self._begin:5.1f} s  {what}")

    def _configure_logs(self) -> None:
        settings = load(Settings)
        configure_logging(settings.log_level)
        root = logging.getLogger()
        file = RotatingFileHandler(self._directory.log, maxBytes=10_000_000, backupCount=3)
        for handler in root.handlers:
            if isinstance(handler, StreamHandler):
                file.setFormatter(handler.formatter)
        root.handlers[:] = [file]
        configure_tracing("strongroom", settings.otel_exporter_otlp_endpoint)

    async def _serve(self, cluster: Cluster, wiring: Wiring, work: Work) -> None:
        task = asyncio.current_task()
        stopped = asyncio.Event()

        def stop() -> None:
            if not stopped.is_set():
                self._say("stopping the services")
            stopped.set()
            if task is not None:
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in _stopping():
            loop.add_signal_handler(number, stop)
        try:
            async with running(wiring, self._address, self._remember) as product:
                self._say(f"ready at {self._address.url}")
                self._warn(wiring)
                session = Session(
                    self._directory,
                    cluster,
                    self._address,
                    product.runtimes[GATEWAY],
                    self._take_first_password(),
                )
                await _first(work(session), product.failed, _watch(cluster))
                self._say("done; stopping the services")
        except asyncio.CancelledError:
            if not stopped.is_set():
                raise

    def _warn(self, wiring: Wiring) -> None:
        for sentence in wiring.weak:
            console.warn(f"{sentence} Production does not start with it.")
        if self._address.in_clear:
            console.warn(
                f"Passwords can be read on the way to {self._address.host}:"
                " set GATEWAY_TLS_CERTIFICATE and GATEWAY_TLS_KEY."
            )

    def _remember(self, administrator: FirstAdministrator) -> None:
        """Keep the password until it was shown: a crash in between must not lose it."""
        self._directory.write_secret(FIRST_PASSWORD, administrator.password.get_secret_value())

    def _take_first_password(self) -> str:
        if not self._directory.has_secret(FIRST_PASSWORD):
            return ""
        return self._directory.secret(FIRST_PASSWORD).get_secret_value()


def greet(session: Session) -> None:
    """Say where the product is and, at the first start alone, how to get in."""
    address = session.address
    rows = [
        ["API", address.url],
        ["documentation", f"{address.url}/docs"],
        ["listens on", f"{address.host}, port {address.port}: {address.reach}"],
        ["database", f"{session.cluster.place.socket}: a socket, no port"],
    ]
    if session.first_password:
        rows.append(["administrator", f"admin, password {session.first_password}"])
        rows.append(["", "(shown this once; it is stored nowhere)"])
        if session.directory.has_secret(ENCRYPTION_KEY):
            key = session.directory.path / "secrets" / ENCRYPTION_KEY
            rows.append(["encryption key", f"{key}"])
            rows.append(["", "(keep a copy of it elsewhere: without it no backup opens)"])
    console.table(["", ""], rows)
    session.directory.forget_secret(FIRST_PASSWORD)


def _stopping() -> list[signal.Signals]:
    """What ends the product; under nohup the end of the terminal does not."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


async def _first(
    work: Awaitable[None], failed: asyncio.Future[None], watch: Awaitable[None]
) -> None:
    """Until the work is done, or one of the others ends with its error."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(watch)]
    try:
        done, _ = await asyncio.wait({*tasks, failed}, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(cluster: Cluster) -> None:
    """Ends with an error when the database does."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(cluster.process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    raise Unavailable(
        "The embedded database has ended unexpectedly.",
        remedy=f"Start again; its log is {cluster.log}.",
    )
