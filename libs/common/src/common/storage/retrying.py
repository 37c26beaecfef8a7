"""A store that tries again what may pass by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from common.errors import Unavailable
from common.storage.store import Bookmark, ObjectInfo, ObjectStore

T = TypeVar("T")

_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and after what pause: twice as long each time, a random part of it."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 20.0

    async def pause(self, attempt: int, error: Unavailable) -> None:
        """Wait before the attempt after number ``attempt``, or raise ``error`` after the last."""
        if attempt >= self.attempts:
            raise error
        await asyncio.sleep(
            min(self.longest, self.first * 2 ** (attempt - 1)) * _RANDOM.uniform(0.5, 1)
        )


class RetryingStore:
    """``ObjectStore`` around another one. Tries again after ``Unavailable`` and nothing else.

    A stream goes on where it broke off. A list begins anew and leaves out what it has told already,
    which it keeps in memory.
    """

    def __init__(self, inner: ObjectStore, backoff: Backoff | None = None) -> None:
        self._inner = inner
        self._backoff = backoff or Backoff()

    async def prepare(self) -> None:
        await self._retry(self._inner.prepare)

    async def put(
        self, name: str, source: bytes | Path, *, bookmark: Bookmark | None = None
    ) -> None:
        await self._retry(lambda: self._inner.put(name, source, bookmark=bookmark))

    async def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return await self._retry(lambda: self._inner.get(name, offset, length))

    async def stream(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        attempt = 0
        while True:
            try:
                async for piece in self._inner.stream(name, offset):
                    offset += len(piece)
                    attempt = 0
                    yield piece
            except Unavailable as error:
                attempt += 1
                await self._backoff.pause(attempt, error)
            else:
                return

    async def stat(self, name: str) -> ObjectInfo:
        return await self._retry(lambda: self._inner.stat(name))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        told: set[str] = set()
        attempt = 0
        while True:
            try:
                async for info in self._inner.list(prefix):
                    if info.name not in told:
                        told.add(info.name)
                        attempt = 0
                        yield info
            except Unavailable as error:
                attempt += 1
                await self._backoff.pause(attempt, error)
            else:
                return

    async def delete(self, name: str) -> None:
        await self._retry(lambda: self._inner.delete(name))

    async def sweep(self, before: datetime) -> int:
        return await self._retry(lambda: self._inner.sweep(before))

    async def close(self) -> None:
        await self._inner.close()

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            try:
                return await call()
            except Unavailable as error:
                attempt += 1
                await self._backoff.pause(attempt, error)
