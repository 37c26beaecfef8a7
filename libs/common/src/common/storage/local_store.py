"""A folder of this machine (a second disk, a mounted share) as a destination."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import TypeVar

from common.errors import Unavailable
from common.storage.failures import explained
from common.storage.local import LocalDirectory
from common.storage.source import PIECE, pieces_of, size_of
from common.storage.store import Bookmark, ObjectInfo, check_name, check_range, check_size

T = TypeVar("T")

_OWNER = "put"
_BATCH = 1000


class LocalStore:
    """``ObjectStore`` over a ``LocalDirectory``, by a few threads of its own.

    A disk that hangs therefore holds up no other store, and no caller longer than ``wait`` seconds
    for one call.
    """

    def __init__(self, path: Path, *, wait: float = 600.0) -> None:
        self._directory = LocalDirectory(path)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="store")
        self._wait = wait

    async def prepare(self) -> None:
        await self._run(self._directory.prepare)

    async def put(
        self, name: str, source: bytes | Path, *, bookmark: Bookmark | None = None
    ) -> None:
        del bookmark  # one step: nothing to go on with
        check_name(name)
        await self._run(lambda: self._put(name, source))

    async def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        return await self._run(lambda: self._directory.read(name, offset, length))

    async def stream(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        check_range(offset, None)
        file = await self._run(lambda: self._open(name, offset))
        try:
            while piece := await self._run(lambda: self._read(file, name)):
                yield piece
        finally:
            file.close()

    async def stat(self, name: str) -> ObjectInfo:
        return await self._run(lambda: self._directory.stat(name))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        found = self._directory.list(prefix)
        while batch := await self._run(lambda: tuple(islice(found, _BATCH))):
            for info in batch:
                yield info

    async def delete(self, name: str) -> None:
        await self._run(lambda: self._directory.delete(name))

    async def sweep(self, before: datetime) -> int:
        return await self._run(lambda: self._directory.discard(_OWNER, before))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._wait):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError as error:
            raise Unavailable(
                f"The disk of {self._directory.path} has not answered for {self._wait:g} s.",
                remedy="Check the disk or the network share.",
            ) from error

    def _put(self, name: str, source: bytes | Path) -> None:
        check_size(name, size_of(source))
        self._directory.write(name, pieces_of(source), owner=_OWNER)

    def _open(self, name: str, offset: int) -> FileIO:
        file = self._directory.open(name)
        file.seek(offset)
        return file

    def _read(self, file: FileIO, name: str) -> bytes:
        with explained(self._directory.path, name):
            return file.read(PIECE)
