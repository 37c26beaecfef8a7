"""How far a job on a repository is."""

import time
from collections.abc import Callable

OnProgress = Callable[[str, int, int | None, int, str], None]
"""Told (phase, bytes done, bytes in all when known, entries, what is being read)."""

_EVERY_SECONDS = 0.2
_EVERY_ENTRIES = 16


class Progress:
    """Passes on how far a run is, a few times a second."""

    def __init__(self, listener: OnProgress | None) -> None:
        self._listener = listener
        self._told = 0.0
        self.phase = ""
        self.done = 0
        self.entries = 0
        self.current = b""

    def advance(self, count: int) -> None:
        """So many more bytes are read."""
        self.done += count
        self._tell()

    def entry(self, path: bytes) -> None:
        """An entry begins."""
        self.entries += 1
        self.current = path
        if not self.entries % _EVERY_ENTRIES:
            self._tell()

    def begin(self, phase: str) -> None:
        """Another phase begins: always passed on."""
        self.phase, self.current, self._told = phase, b"", 0.0
        self._tell()

    def _tell(self) -> None:
        if self._listener is None:
            return
        now = time.monotonic()
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            current = self.current.decode("utf-8", "replace")
            self._listener(self.phase, self.done, None, self.entries, current)
