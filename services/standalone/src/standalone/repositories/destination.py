"""Another copy of a repository: a folder, or a destination by its address."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from common.errors import NotFound
from common.repository.objects import ObjectSource
from common.storage.local import LocalDirectory
from common.storage.open import open_store
from common.storage.store import ObjectInfo, ObjectStore

T = TypeVar("T")


@contextmanager
def opened(place: str) -> Iterator[ObjectSource]:
    """The objects there, to be read: ``/mnt/disk``, or an address like ``file:///mnt/disk``."""
    if "://" not in place:
        if not Path(place).is_dir():
            raise NotFound(f"There is no folder {place}.", remedy="Correct the path.")
        yield LocalDirectory(Path(place))
        return
    source = _StoreSource(open_store(place))
    try:
        yield source
    finally:
        source.close()


class _StoreSource:
    """An ``ObjectStore`` by blocking calls. The store's own time limits bound each of them.

    Objects are fetched from it; a reader of the repository would fork, which its thread forbids.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._wait(self._store.get(name, offset, length))

    def list(self, prefix: str = "") -> Iterable[ObjectInfo]:
        async def everything() -> list[ObjectInfo]:
            return [info async for info in self._store.list(prefix)]

        return self._wait(everything())

    def close(self) -> None:
        self._wait(self._store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()
