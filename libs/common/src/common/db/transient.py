"""Which failures of the database pass by themselves, and running a statement again after one."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from common.db.pool import Connection, Pool, borrowed
from common.errors import Unavailable

T = TypeVar("T")

_TRANSIENT = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # The driver's word when a statement crosses the server's last one on the connection.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    Unavailable,
)
_GONE = re.compile(r"clos|released")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: a lost connection, a deadlock, a restart."""
    # "connection is closed", "pool is closing"; but also "expects 1 argument", which is a bug.
    gone = isinstance(error, asyncpg.InterfaceError) and _GONE.search(str(error))
    return bool(gone) or isinstance(error, _TRANSIENT)


def is_open(connection: Connection) -> bool:
    """Whether the connection still stands, as far as is known here."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # it was taken back when it broke
        return False


async def retrying(
    pool: Pool, work: Callable[[Connection], Awaitable[T]], *, attempts: int = 5
) -> T:
    """Run ``work`` again after a failure that passes: one statement, a transaction by itself.

    When the connection is lost, nobody knows whether it happened: it must change nothing the second
    time. No lock outlives it, wherever this process freezes.
    """
    for attempt in range(1, attempts + 1):
        try:
            async with borrowed(pool) as connection:
                return await work(connection)
        except Exception as error:
            if attempt == attempts or not is_transient(error):
                raise
        await asyncio.sleep(min(0.05 * 2**attempt, 2.0))
    raise AssertionError  # pragma: no cover - the last attempt returns or raises
