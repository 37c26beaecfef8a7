"""The pool of the embedded bus, and statements on it that wait out a restart of the server."""

import asyncio
from typing import Any

import asyncpg
from pydantic import SecretStr

from common.bus.postgres.faults import FAULTS, reason_of
from common.bus.postgres.schema import Connection, migrate
from common.errors import Forbidden, Unavailable

PAUSE = 0.2
STATEMENT_LIMIT = 30.0
CONNECT_LIMIT = 10.0
POOL_SIZE = 6


class Store:
    """Runs statements within a time limit; a repeated one may have taken effect before."""

    def __init__(self, url: SecretStr, name: str) -> None:
        self._url = url
        self._name = name
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self, limit: float) -> None:
        """Connect and bring the schema up to date.

        Raises:
            Unavailable: not within ``limit`` seconds.
            Forbidden: the role may not make the schema.
        """
        reason = "no answer in time"
        try:
            async with asyncio.timeout(limit):
                while self._pool is None:
                    try:
                        await self._open()
                    except FAULTS as error:
                        reason = reason_of(error)
                        await asyncio.sleep(PAUSE)
        except asyncpg.InsufficientPrivilegeError:
            raise Forbidden(
                "The role of STRONGROOM_BUS_URL may not make the schema bus.",
                remedy="Run deploy/postgres/init.sql, which makes role and schema.",
            ) from None
        except TimeoutError:
            raise Unavailable(
                f"PostgreSQL, which carries the bus, cannot be used: {reason}.",
                remedy="Is it running, and is STRONGROOM_BUS_URL right?",
            ) from None

    async def _open(self) -> None:
        connection = await self.connect()
        try:
            await migrate(connection)
        finally:
            await connection.close(timeout=CONNECT_LIMIT)
        self._pool = await asyncpg.create_pool(
            self._url.get_secret_value(),
            min_size=1,
            max_size=POOL_SIZE,
            timeout=CONNECT_LIMIT,
            command_timeout=STATEMENT_LIMIT,
            server_settings={"application_name": f"{self._name} bus"},
        )

    async def connect(self) -> Connection:
        """A connection outside the pool. The caller closes it."""
        return await asyncpg.connect(
            self._url.get_secret_value(),
            timeout=CONNECT_LIMIT,
            command_timeout=STATEMENT_LIMIT,
            server_settings={"application_name": f"{self._name} bus"},
        )

    async def close(self) -> None:
        """Disconnect."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await pool.close()
        except FAULTS:
            pool.terminate()

    async def rows(self, statement: str, *arguments: Any, limit: float) -> list[asyncpg.Record]:
        """What ``statement`` returns.

        Raises:
            Unavailable: not done within ``limit`` seconds.
        """
        reason = "no answer in time"
        try:
            async with asyncio.timeout(limit):
                while True:
                    try:
                        return await self.pool.fetch(statement, *arguments)
                    except FAULTS as error:
                        reason = reason_of(error)
                        await asyncio.sleep(PAUSE)
        except TimeoutError:
            raise Unavailable(
                f"PostgreSQL, which carries the bus, cannot be used: {reason}."
            ) from None

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """The pool, while open."""
        if self._pool is None:
            raise Unavailable("The bus is not started.")
        return self._pool
