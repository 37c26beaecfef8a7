"""How far a job on a repository is."""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class OnProgress(Protocol):
    """Told (phase, bytes done, bytes in all when known, entries, what is being read).

    A phase that counts things and no bytes says of how many in ``total_entries``.
    """

    def __call__(
        self,
        phase: str,
        done: int,
        total: int | None,
        entries: int,
        current: str,
        /,
        *,
        total_entries: int | None = None,
    ) -> None: ...


_EVERY_SECONDS = 0.2
_EVERY_ENTRIES = 16


def counted(items: Collection[T], phase: str, listener: OnProgress | None) -> Iterator[T]:
    """These items; a few times a second the listener is told how many of them are done."""
    if listener is None or not items:
        yield from items
        return
    told = 0.0
    for number, item in enumerate(items):
        now = time.monotonic()
        if not number or now - told >= _EVERY_SECONDS:
            told = now
            listener(phase, 0, None, number, "", total_entries=len(items))
        yield item
    listener(phase, 0, None, len(items), "", total_entries=len(items))


class Progress:
    """Passes on how far a run is, and calls ``beat``, a few times a second."""

    def __init__(self, listener: OnProgress | None, beat: Callable[[], None]) -> None:
        self._listener = listener
        self._beat = beat
        self._told = 0.0
        self.phase = ""
        self.done = 0
        self.entries = 0
        self.current = b""

    def advance(self, count: int) -> None:
        """So many more bytes are read."""
        self.done += count
        self._tell()

    def entry(self, path: bytes, count: int = 1) -> None:
        """An entry begins, the last of so many that were not told yet."""
        self.entries += count
        self.current = path
        if self.entries % _EVERY_ENTRIES < count:
            self._tell()

    def begin(self, phase: str) -> None:
        """Another phase begins: always passed on."""
        self.phase, self.current, self._told = phase, b"", 0.0
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < _EVERY_SECONDS:
            return
        self._told = now
        self._beat()
        if self._listener is not None:
            current = self.current.decode("utf-8", "replace")
            self._listener(self.phase, self.done, None, self.entries, current)
