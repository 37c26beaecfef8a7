"""A store that leaves room on the line for others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

from common.storage.source import size_of
from common.storage.store import Bookmark, ObjectInfo, ObjectStore


class ThrottledStore:
    """``ObjectStore`` around another one, at ``bytes_per_second`` in both directions together.

    An object goes at full speed and the pause comes before the next one: the mean is kept.
    """

    def __init__(self, inner: ObjectStore, bytes_per_second: int) -> None:
        self._inner = inner
        self._rate = bytes_per_second
        self._free_at = 0.0

    async def prepare(self) -> None:
        await self._inner.prepare()

    async def put(
        self, name: str, source: bytes | Path, *, bookmark: Bookmark | None = None
    ) -> None:
        await self._pause(size_of(source))
        await self._inner.put(name, source, bookmark=bookmark)

    async def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        content = await self._inner.get(name, offset, length)
        await self._pause(len(content))
        return content

    async def stream(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        async for piece in self._inner.stream(name, offset):
            await self._pause(len(piece))
            yield piece

    async def stat(self, name: str) -> ObjectInfo:
        return await self._inner.stat(name)

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        return self._inner.list(prefix)

    async def delete(self, name: str) -> None:
        await self._inner.delete(name)

    async def sweep(self, before: datetime) -> int:
        return await self._inner.sweep(before)

    async def close(self) -> None:
        await self._inner.close()

    async def _pause(self, size: int) -> None:
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at)
        self._free_at = start + size / self._rate
        await asyncio.sleep(start - now)
