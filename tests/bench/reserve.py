"""Memory that a measured command can have at once.

The host of a virtual machine may take back what has not been in use for some seconds. Whoever fills
memory first then waits for the host: for each gigabyte longer than it takes to restore one.
"""

import threading
from mmap import MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, mmap
from pathlib import Path
from typing import Self

_BLOCK = 64 << 20
_LEAST = 192 << 20  # with less the kernel would begin to empty its caches
_FRESH = 384 << 20
_LOOK_SECONDS = 0.005


class Reserve:
    """A context that holds what memory is free, but for a little that it has just held.

    It lets go of some whenever others have used that little; ``fill`` takes what is free by then.
    """

    def __init__(self) -> None:
        self._blocks: list[mmap] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._give, daemon=True)

    def fill(self) -> None:
        """Hold what is free now, then let go of as much as a command begins with."""
        while _free() > _LEAST + _BLOCK:
            flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
            self._blocks.append(mmap(-1, _BLOCK, flags=flags))
        self._let_go(_FRESH)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        for block in self._blocks:
            block.close()

    def _give(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if _free() < _FRESH // 2:
                self._let_go(_FRESH)

    def _let_go(self, free: int) -> None:
        while self._blocks and _free() < free:
            self._blocks.pop().close()


def _free() -> int:
    """Bytes of memory that nothing uses, not even a cache."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemFree":
            return int(value.split()[0]) << 10
    raise RuntimeError("/proc/meminfo does not say what is free.")
