"""Which failures of the database pass by themselves, and running a transaction again after one."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from common.db.pool import Connection, Pool, transaction
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
# Before these the server has rolled back for certain, whatever the client was waiting for.
_ROLLED_BACK = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)


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
    pool: Pool,
    work: Callable[[Connection], Awaitable[T]],
    *,
    attempts: int = 5,
    repeatable: bool = False,
) -> T:
    """Run ``work`` in a transaction, again after a failure that passes.

    When the connection is lost while the commit is under way, nobody knows whether it happened:
    then only ``repeatable`` work, which changes nothing the second time, runs again.
    """
    for attempt in range(1, attempts + 1):
        committing = False
        try:
            async with transaction(pool) as connection:
                result = await work(connection)
                committing = True
            return result  # noqa: TRY300 - the commit happens when the block above ends
        except Exception as error:
            known = not committing or isinstance(error, _ROLLED_BACK)
            if attempt == attempts or not is_transient(error) or not (known or repeatable):
                raise
        await asyncio.sleep(min(0.05 * 2**attempt, 2.0))
    raise AssertionError  # pragma: no cover - the last attempt returns or raises
