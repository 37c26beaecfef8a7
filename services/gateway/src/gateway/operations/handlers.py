"""Starting long work once, and waiting a while for its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from common.db import Pool, borrowed, is_transient
from common.errors import Conflict, NotFound
from common.outbox import Context
from common.service import Runtime
from gateway.identity.domain import Caller
from gateway.operations import store
from gateway.operations.domain import Operation

LONGEST_WAIT = 60.0
# Each borrows a connection about once a second; more would leave none for other requests.
WAITERS = asyncio.Semaphore(64)


class KeyReused(Conflict):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


async def submit(
    runtime: Runtime[Any],
    caller: Caller,
    key: store.Key | None,
    begin: Callable[[Context], Awaitable[Operation]],
) -> Operation:
    """Begin an operation in one transaction with its command and its audit entry.

    A repeated request with the same key gets the operation of the first one.

    Raises:
        KeyReused: the key belongs to another request.
    """
    async with runtime.transaction(caller.actor()) as context:
        if key:
            earlier = await store.find_by_key(context.conn, caller.user_id, key.key)
            if earlier:
                operation, digest = earlier
                if digest != key.request_digest:
                    raise KeyReused
                return operation
        operation = await begin(context)
        await store.add(context.conn, operation, key)
    return operation


async def find(pool: Pool, operation_id: str) -> Operation:
    """The operation with that id.

    Raises:
        NotFound: there is none.
    """
    async with borrowed(pool) as connection:
        operation = await store.find(connection, operation_id)
    if operation is None:
        raise NotFound("There is no such operation.")
    return operation


async def wait_for_end(pool: Pool, operation: Operation, seconds: float) -> Operation:
    """The operation when it has ended, or as it is after ``seconds``.

    Looks at the table, where whichever replica hears the event writes it. Nobody waits when very
    many do already, or when the database has gone: the work is accepted all the same.
    """
    if seconds <= 0 or operation.state.ended or WAITERS.locked():
        return operation
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    pause = 0.1
    async with WAITERS:
        while not operation.state.ended and (left := deadline - loop.time()) > 0:
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, 1.0)
            try:
                operation = await find(pool, operation.id)
            except Exception as error:
                if is_transient(error):
                    return operation
                raise
    return operation
