"""One connection to RabbitMQ, sought again whenever it is lost."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, TimeoutType
from aio_pika.exceptions import AuthenticationError, ProbableAuthenticationError
from pydantic import SecretStr
from yarl import URL

from common.bus.amqp.faults import FAULTS, MISSING, faults, keep_bodies_out_of_logs
from common.errors import Forbidden, Invalid, Unavailable

log = structlog.get_logger(__name__)

HEARTBEAT = 30
ATTEMPT_LIMIT = 15.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0

Result = TypeVar("Result")
Prepare = Callable[[AbstractConnection], Awaitable[None]]
Act = Callable[[AbstractConnection], Awaitable[Result]]


class _Connection(aio_pika.Connection):
    """One that is ended when it cannot be made: else its finalizer would, in whatever loop runs."""

    async def connect(self, timeout: TimeoutType = None) -> None:  # noqa: ASYNC109 - the library's
        try:
            await super().connect(timeout)
        except BaseException:
            await _end(self)
            raise


class Link:
    """Keeps a connection up. ``prepare`` runs on each new one before anybody gets it."""

    def __init__(
        self, url: SecretStr, name: str, prepare: Prepare, tls: ssl.SSLContext | None = None
    ) -> None:
        keep_bodies_out_of_logs()
        self._url = _address(url)
        self._name = name
        self._prepare = prepare
        self._tls = tls
        self._connection: AbstractConnection | None = None
        self._channels: dict[str, AbstractChannel] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        default = 5671 if self._url.scheme == "amqps" else 5672
        self.place = f"RabbitMQ at {self._url.host}:{self._url.port or default}"
        self.fault: str | None = f"{self.place} is not connected yet."

    async def open(self, limit: float) -> None:
        """Connect; later losses are mended without end.

        Raises:
            Unavailable: not connected within ``limit`` seconds.
        """
        self._task = asyncio.create_task(self._supervise())
        try:
            async with asyncio.timeout(limit):
                await self._up.wait()
        except TimeoutError:
            fault = self.fault
            await self.close()
            raise Unavailable(fault, remedy="Is it running, and is AMQP_URL right?") from None

    async def close(self) -> None:
        """Disconnect and stay so."""
        self.fault = f"The connection to {self.place} is closed."
        self._up.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def connection(self) -> AbstractConnection:
        """The connection, as soon as there is one. The caller limits the time."""
        while True:
            await self._up.wait()
            if self._connection is not None:
                return self._connection

    async def patiently(self, what: str, limit: float, act: Act[Result]) -> Result:
        """The result of ``act`` on the connection, tried again while that is lost.

        Raises:
            Unavailable: not within ``limit`` seconds; ``what`` completes "RabbitMQ does not ...".
        """
        try:
            async with asyncio.timeout(limit):
                while True:
                    try:
                        return await act(await self.connection())
                    except MISSING:
                        raise
                    except FAULTS as error:
                        log.info("bus tried again", reason=_reason(error))
                        await asyncio.sleep(FIRST_PAUSE)
        except TimeoutError:
            raise Unavailable(
                self.fault or f"{self.place} does not {what} within {limit:g} seconds."
            ) from None

    async def channel(self, purpose: str) -> AbstractChannel:
        """The channel for ``purpose``, opened anew whenever it was closed."""
        async with self._opening.setdefault(purpose, asyncio.Lock()):
            channel = self._channels.get(purpose)
            if channel is None or channel.is_closed:
                channel = self._channels[purpose] = await self.new_channel()
            return channel

    async def new_channel(self) -> AbstractChannel:
        """A channel with publisher confirms, on which an unroutable message raises."""
        connection = await self.connection()
        with faults():
            channel = connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.initialize()
            return channel

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                connection, lost = await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may succeed
                self.fault = f"{self.place} cannot be used: {_reason(error)}."
                log.warning("bus not connected", reason=self.fault)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            try:
                self._connection, self.fault = connection, None
                self._up.set()
                await lost.wait()
                self.fault = f"The connection to {self.place} was lost."
                log.warning("bus connection lost", place=self.place)
            finally:
                self._up.clear()
                self._connection = None
                await _end(connection)

    async def _connect(self) -> tuple[AbstractConnection, asyncio.Event]:
        lost = asyncio.Event()

        def on_close(*_: Any) -> None:
            lost.set()

        async with asyncio.timeout(ATTEMPT_LIMIT):
            with faults():
                connection = await aio_pika.connect(
                    self._url if "heartbeat" in self._url.query else self._with_heartbeat(),
                    client_properties={"connection_name": self._name},
                    ssl_context=self._tls,
                    connection_class=_Connection,
                )
        connection.close_callbacks.add(on_close)
        try:
            async with asyncio.timeout(2 * ATTEMPT_LIMIT):
                await self._prepare(connection)
        except BaseException:
            await _end(connection)
            raise
        return connection, lost

    def _with_heartbeat(self) -> URL:
        return self._url.update_query(heartbeat=HEARTBEAT)


def _address(url: SecretStr) -> URL:
    try:
        address = URL(url.get_secret_value())
    except ValueError:
        address = URL()
    if address.scheme not in {"amqp", "amqps"} or not address.host:
        raise Invalid(
            "AMQP_URL is no address of a broker.", remedy="Write amqp://user:password@host:5672/."
        )
    return address


async def _end(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(5):
            with faults():
                await connection.close()
    except FAULTS:
        log.debug("bus connection ended roughly")


def _reason(error: BaseException) -> str:
    match error:
        case AuthenticationError() | ProbableAuthenticationError():
            return "it refuses the login"
        case TimeoutError():
            return "no answer in time"
        case Forbidden():
            return str(error).rstrip(".")
        case OSError(strerror=str(text)):
            return text
        case _:
            return type(error).__name__
