"""Keeps the file in step with the table: the table is what counts, the file catches up."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from audit_sink import store
from audit_sink.domain import line
from audit_sink.jsonlines import JsonLines
from common.db import Pool, transaction
from common.errors import Error

_POLL_SECONDS = 5.0

log = structlog.stdlib.get_logger(__name__)


class Follower:
    """Writes what the table has and the file has not; ``wake`` is set when the table has grown."""

    def __init__(self, pool: Pool, file: JsonLines, wake: asyncio.Event) -> None:
        self._pool = pool
        self._file = file
        self._wake = wake
        self._busy = asyncio.Lock()
        self._problem: str | None = None

    async def run(self) -> None:
        """Follow until cancelled; what fails is tried again."""
        while True:
            self._wake.clear()
            await self.catch_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()

    async def catch_up(self) -> None:
        """Write everything that is missing in the file."""
        async with self._busy:
            try:
                while await self._step():
                    pass
                self._problem = None
            except Exception as error:  # noqa: BLE001 - the table has it all, and the next turn writes it
                self._problem = _sentence(error)
                log.warning("audit file not written", reason=self._problem)
                await self._blocking(self._file.close)

    async def close(self) -> None:
        """Write what is left and close the file."""
        await self.catch_up()
        await self._blocking(self._file.close)

    async def problem(self) -> str | None:
        """Why the file is behind, if it is."""
        return self._problem

    async def _step(self) -> bool:
        if not self._file.is_open:
            await self._blocking(self._file.open)
        async with transaction(self._pool) as connection:
            links = await store.after(connection, self._file.position)
        if links:
            lines = [(each.seq, line(each)) for each in links]
            await self._blocking(lambda: self._file.append(lines))
        return bool(links)

    @staticmethod
    async def _blocking(work: Callable[[], None]) -> None:
        # Shielded: a file that is being written must not be closed under the writing thread.
        await asyncio.shield(asyncio.to_thread(work))


def _sentence(error: Exception) -> str:
    if isinstance(error, Error):
        return error.message
    if isinstance(error, OSError):
        return f"{error.filename or 'The file'}: {error.strerror}."
    return type(error).__name__
