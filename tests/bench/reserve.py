"""Memory that a measured command can have at once.

The host of a virtual machine may take back what is not in use. Whoever fills memory first then
waits for the host: for each gigabyte longer than it takes to restore one.
"""

import threading
from mmap import MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, mmap
from pathlib import Path
from typing import Self

_BLOCK = 256 << 20
_LEFT = 384 << 20
_LOOK_SECONDS = 0.005


class Reserve:
    """A context that holds what memory is free, but for a little.

    It lets go of some whenever others have used that little; ``fill`` takes what is free by then.
    """

    def __init__(self) -> None:
        self._blocks: list[mmap] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._give, daemon=True)

    def fill(self) -> None:
        """Hold what is free now."""
        while _free() > _LEFT + _BLOCK:
            flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
            self._blocks.append(mmap(-1, _BLOCK, flags=flags))

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
            if self._blocks and _free() < _LEFT - _BLOCK // 2:
                self._blocks.pop().close()


def _free() -> int:
    """Bytes of memory that nothing uses, not even a cache."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemFree":
            return int(value.split()[0]) << 10
    raise RuntimeError("/proc/meminfo does not say what is free.")
