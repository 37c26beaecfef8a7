"""Brings a database back: aside, and into its place when it is whole."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from hashlib import blake2s

import asyncpg
from pydantic import SecretStr

from common.components.postgres.address import Address
from common.components.postgres.facts import TABLES, Facts
from common.components.postgres.making import Making, create, finish, prepare, run
from common.components.postgres.session import connected
from common.errors import Conflict, RestoreFailed

Fill = Callable[[Address, Making], list[str]]
"""Restores the dump into the database at an address; returns warnings."""

CLEARING_SECONDS = 30.0
ROUND_SECONDS = 0.2


class Placing:
    """One restore into the database ``name`` of the server at ``address``.

    The dump goes into a database of another name, which nobody else may enter. Only when it is
    whole does it get its name; in place that happens in the transaction that takes it from the
    former database, so that what stops a restore leaves that one as it was. What a dead restore
    has left under the other name is removed by the next.
    """

    def __init__(self, address: Address, password: SecretStr, facts: Facts, name: str) -> None:
        self._address = address
        self._password = password
        self._facts = facts
        self._name = name
        mark = blake2s(name.encode(), digest_size=8).hexdigest()
        self._fresh = f"strongroom_restore_{mark}"
        self._former = f"strongroom_former_{mark}"
        self._making = Making()

    def restore(self, fill: Fill, *, in_place: bool) -> list[str]:
        """Make, fill and name the database; returns warnings.

        Raises:
            Conflict: it exists and is not to be replaced, or cannot be freed of its users.
            RestoreFailed: the server refuses something.
        """
        door = asyncio.run(self._begin(in_place=in_place))
        try:
            warnings = fill(self._address.at(self._fresh), self._making)
            asyncio.run(self._end(door, in_place=in_place))
        except BaseException:
            with suppress(RestoreFailed):
                asyncio.run(self._drop(door, self._fresh))
            raise
        return [*self._making.warnings, *warnings]

    async def _begin(self, *, in_place: bool) -> str:
        door = await self._door()
        async with self._connected(door) as connection:
            if await _exists(connection, self._name) and not in_place:
                raise Conflict(
                    f"There is a database {self._name} already.",
                    remedy="Name another one, or restore in place.",
                )
            self._making = await prepare(connection, self._facts)
            await self._clean_up(connection)
            await create(connection, self._fresh, self._facts, self._making)
        return door

    async def _clean_up(self, connection: asyncpg.Connection) -> None:
        """Remove what a dead restore has left; one that lives keeps it in use."""
        await self._remove(connection, self._former)
        try:
            async with asyncio.timeout(CLEARING_SECONDS):
                while await _exists(connection, self._fresh):
                    with suppress(asyncpg.ObjectInUseError):
                        await run(connection, "DROP DATABASE %I", self._fresh)
        except TimeoutError as error:
            raise Conflict(f"Another restore into {self._name} is running.") from error

    async def _end(self, door: str, *, in_place: bool) -> None:
        async with self._connected(self._fresh) as connection:
            tables = await connection.fetch(TABLES, 1)
            found = tables[0]["tables"] if tables else 0
            if found != self._facts.tables:
                raise RestoreFailed(
                    f"{found} tables came back, and there were {self._facts.tables}.",
                    remedy="Restore the backup into a folder: its database.dump is for pg_restore.",
                )
        async with self._connected(door) as connection:
            await finish(connection, self._fresh, self._facts, self._making)
            await self._name_it(connection, door, in_place=in_place)
            try:
                await self._remove(connection, self._former)
            except (asyncpg.PostgresError, TimeoutError) as error:
                self._making.warnings.append(
                    f"the former database is still there, as {self._former}: {error}"
                )

    async def _name_it(self, connection: asyncpg.Connection, door: str, *, in_place: bool) -> None:
        """Take the name from the former database, if there is one, and give it to the new one."""
        async with self._connected(door) as other:
            clearing = asyncio.create_task(self._clear(other)) if in_place else None
            try:
                async with asyncio.timeout(CLEARING_SECONDS):
                    await self._rename(connection, in_place=in_place)
            except TimeoutError as error:
                raise Conflict(
                    f"The database {self._name} is in use, and its users do not let go.",
                    remedy="Stop what uses it, then restore again.",
                ) from error
            finally:
                if clearing is not None:
                    clearing.cancel()
                    await asyncio.gather(clearing, return_exceptions=True)

    async def _rename(self, connection: asyncpg.Connection, *, in_place: bool) -> None:
        rename = "ALTER DATABASE %I RENAME TO %I"
        while True:
            with suppress(asyncpg.ObjectInUseError):
                async with connection.transaction():
                    if in_place and await _exists(connection, self._name):
                        # From here on nobody new gets in; the server waits for the others to go.
                        await run(connection, rename, self._name, self._former)
                    await run(connection, rename, self._fresh, self._name)
                return
            await asyncio.sleep(ROUND_SECONDS)

    async def _clear(self, connection: asyncpg.Connection) -> None:
        """End the sessions in the former database, until cancelled."""
        while True:
            with suppress(asyncpg.InsufficientPrivilegeError):  # waiting may do
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                    self._name,
                )
            await asyncio.sleep(ROUND_SECONDS)

    async def _drop(self, door: str, name: str) -> None:
        async with self._connected(door) as connection:
            await self._remove(connection, name)

    async def _remove(self, connection: asyncpg.Connection, name: str) -> None:
        if await _exists(connection, name):
            await run(connection, "DROP DATABASE %I WITH (FORCE)", name)

    async def _door(self) -> str:
        """A database through which the others can be renamed: one that is none of them."""
        refused = ""
        for database in dict.fromkeys((self._address.database, "postgres")):
            if database == self._name:
                continue
            try:
                async with self._connected(database):
                    return database
            except RestoreFailed as error:
                refused = refused or error.message
        raise RestoreFailed(
            f"To replace {self._name}, the account must enter another database. {refused}".rstrip(),
            remedy=f"Let {self._address.user} connect to the database postgres.",
        )

    def _connected(self, database: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return connected(self._address.at(database), self._password, RestoreFailed)


async def _exists(connection: asyncpg.Connection, name: str) -> bool:
    found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
    return found is not None
