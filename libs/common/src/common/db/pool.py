"""A pool of connections to a service's own schema, and transactions with a limit on waiting."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import structlog
from pydantic import SecretStr

from common.db.address import missing_file, place
from common.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_CONNECT_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
_ACQUIRE_SECONDS = 10.0
_CLOSE_SECONDS = 5.0
_SERVER_SETTINGS = {
    # The server's limit is above the client's, so that the client cancels first and cleanly.
    "statement_timeout": "35s",
    "lock_timeout": "15s",
    # A frozen process must not hold its row locks for ever.
    "idle_in_transaction_session_timeout": "120s",
    # A vanished client is noticed, and its locks released, within half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# Waiting does not help against these.
_HOPELESS = (
    ssl.SSLCertVerificationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidCatalogNameError,
)

log = structlog.stdlib.get_logger(__name__)


async def _prepare(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads
        )


async def _leave(connection: Any) -> None:
    """Nothing, where the driver would have the server reset the session: a round trip each time.

    Settings and locks live in transactions here. Whoever listens closes its connection, and
    migrations give their lock back. What the driver does without asking, it does before this.
    """
    del connection


async def _open(url: SecretStr, name: str, schema: str | None, size: int) -> Pool:
    settings = {**_SERVER_SETTINGS, "application_name": name}
    if schema:
        settings["search_path"] = f'"{schema}"'
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=1,
        max_size=size,
        timeout=_CONNECT_SECONDS,
        command_timeout=_COMMAND_SECONDS,
        max_inactive_connection_lifetime=300,
        server_settings=settings,
        init=_prepare,
        reset=_leave,
    )


async def connect(
    url: SecretStr, *, name: str, schema: str | None = None, size: int = 8, wait: float = 30.0
) -> Pool:
    """A pool on ``url`` whose connections work in ``schema`` and show as ``name`` to the server.

    ``json`` and ``jsonb`` are Python values on both sides. Waits up to ``wait`` seconds for a
    server that is still starting.

    Raises:
        Invalid: the address cannot be read, or the server refuses the login, or is
            not the one that the address trusts.
        Unavailable: the server did not answer in time.
    """
    if missing := missing_file(url):
        raise Invalid(
            f"The PostgreSQL address of {name} names a file that cannot be read: {missing}.",
            remedy="Correct the path or the permissions of the file.",
        )
    deadline = asyncio.get_running_loop().time() + wait
    pause = 0.1
    while True:
        try:
            return await _open(url, name, schema, size)
        except _HOPELESS as error:
            raise _hopeless(error, url) from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
            # OSError stands for refused, unreachable and unresolved alike.
            if asyncio.get_running_loop().time() + pause > deadline:
                raise Unavailable(
                    f"PostgreSQL at {place(url)} does not answer: {error or 'no reply'}.",
                    remedy="Start it, or correct the address.",
                ) from None
            log.info("waiting for the database", place=place(url))
        except (ValueError, asyncpg.InterfaceError):
            # The driver's own text may repeat the address with its password.
            raise Invalid(
                f"The PostgreSQL address of {name} cannot be read.",
                remedy="It looks like postgresql://user:password@host:5432/database.",
            ) from None
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


def _hopeless(error: BaseException, url: SecretStr) -> Invalid:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Invalid(
            f"PostgreSQL at {place(url)} is not trusted: {error.verify_message}.",
            remedy="Compare sslrootcert in the address, and the host that it names, with the"
            " server's certificate.",
        )
    return Invalid(
        f"PostgreSQL at {place(url)} refuses the login: {error}.",
        remedy="Check the user, the password and the database's name in the address.",
    )


async def close(pool: Pool) -> None:
    """Close the pool; connections that are still in use are cut after a few seconds."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except Exception as error:  # noqa: BLE001 - closing is best effort, and goes on below
        log.debug("pool not closed in order", error=type(error).__name__)
        pool.terminate()


@asynccontextmanager
async def transaction(pool: Pool, *, wait: float = _ACQUIRE_SECONDS) -> AsyncIterator[Connection]:
    """A transaction that commits at the end of the block and rolls back on an exception.

    Raises:
        Unavailable: no connection became free within ``wait`` seconds.
    """
    connection = await _take(pool, wait)
    failure: BaseException | None = None
    try:
        async with connection.transaction():
            try:
                yield connection
            except BaseException as error:
                failure = error
                raise
    except Exception:
        # A rollback that fails on a lost connection must not hide what happened, above all not a
        # cancellation, without which a task would never end.
        if failure is not None:
            raise failure from None
        raise
    finally:
        await _give_back(pool, connection)


@asynccontextmanager
async def borrowed(pool: Pool, *, wait: float = _ACQUIRE_SECONDS) -> AsyncIterator[Connection]:
    """A connection on which every statement is a transaction of its own.

    Raises:
        Unavailable: no connection became free within ``wait`` seconds.
    """
    connection = await _take(pool, wait)
    try:
        yield connection
    finally:
        await _give_back(pool, connection)


async def _take(pool: Pool, wait: float) -> Connection:
    try:
        return await pool.acquire(timeout=wait)
    except TimeoutError as error:
        raise Unavailable("No database connection became free in time.") from error


async def _give_back(pool: Pool, connection: Connection) -> None:
    try:
        await pool.release(connection, timeout=_CLOSE_SECONDS)
    except Exception as error:  # noqa: BLE001 - it is broken, and the pool opens another
        log.debug("connection not given back", error=type(error).__name__)
