"""Questions to a server, asked by blocking code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TypeVar

import asyncpg
from pydantic import SecretStr

from common.components.postgres.address import Address
from common.errors import Error

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 900.0
HOLD = """
    SET idle_in_transaction_session_timeout = 0;
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
"""

T = TypeVar("T")


@asynccontextmanager
async def connected(
    address: Address, password: SecretStr, failure: type[Error]
) -> AsyncIterator[asyncpg.Connection]:
    """A connection; what goes wrong with it or with a statement becomes ``failure``.

    Raises:
        failure: always with the server's own words, never with the password.
    """
    try:
        connection = await asyncpg.connect(
            address.url(),
            password=password.get_secret_value() or None,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": "strongroom",
                "search_path": "pg_catalog",
                "default_transaction_read_only": "off",
            },
        )
    except asyncpg.InvalidPasswordError as error:
        raise failure(
            f"The server refuses the password of {address.user}.",
            remedy="Correct password_file of the component.",
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise failure(
            f"The database {address} cannot be reached: {_words(error)}.",
            remedy="Check that the server runs, and the address of the component.",
        ) from error
    try:
        yield connection
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise failure(f"The database {address} refuses: {_words(error)}.") from error
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


def ask(
    address: Address,
    password: SecretStr,
    failure: type[Error],
    question: Callable[[asyncpg.Connection], Awaitable[T]],
) -> T:
    """The answer to a question, on a connection of its own."""

    async def run() -> T:
        async with connected(address, password, failure) as connection:
            return await question(connection)

    return asyncio.run(run())


@contextmanager
def holding(
    address: Address,
    password: SecretStr,
    failure: type[Error],
    question: Callable[[asyncpg.Connection], Awaitable[T]],
) -> Iterator[tuple[T, str]]:
    """The answer to a question, and the name of the state it is true of: ``pg_dump --snapshot``.

    The state can be taken up under that name as long as this is open.
    """

    async def begin() -> tuple[T, str, AsyncExitStack]:
        async with AsyncExitStack() as opening:
            connection = await opening.enter_async_context(connected(address, password, failure))
            await connection.execute(HOLD)
            answer = await question(connection)
            state = str(await connection.fetchval("SELECT pg_export_snapshot()"))
            return answer, state, opening.pop_all()

    with asyncio.Runner() as runner:
        answer, state, opened = runner.run(begin())
        try:
            yield answer, state
        finally:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                runner.run(opened.aclose())


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0].rstrip(".")
