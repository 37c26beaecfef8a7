"""Memory that a measured command can have at once.

The host of a virtual machine may take back what has not been in use for some seconds. Whoever fills
memory first then waits for the host: for each gigabyte longer than it takes to restore one.
"""

import threading
from mmap import MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, mmap
from pathlib import Path
from typing import Self

_BLOCK = 128 << 20
_HELD = 6 << 30
_LEAST = 2 << 30  # with little that is free, the kernel makes everybody slower
_AT_FIRST = 512 << 20
_LOOK_SECONDS = 0.005


class Reserve:
    """A context that holds some gigabytes, and lets go of as much as others use of what is free.

    What was let go last is what the kernel gives first. ``fill`` is called before each command.
    """

    def __init__(self) -> None:
        self._blocks: list[mmap] = []
        self._free = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._give, daemon=True)

    def fill(self) -> None:
        """Hold as much as ever, then let go of what a command begins with."""
        self._free = 0
        while len(self._blocks) * _BLOCK < _HELD and _free() > _LEAST + _BLOCK:
            flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
            self._blocks.append(mmap(-1, _BLOCK, flags=flags))
        for _ in range(_AT_FIRST // _BLOCK):
            self._let_go()
        self._free = _free()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        while self._blocks:
            self._let_go()

    def _give(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if _free() < self._free - _BLOCK:
                self._let_go()

    def _let_go(self) -> None:
        if self._blocks:
            self._blocks.pop().close()


def _free() -> int:
    """Bytes of memory that nothing uses, not even a cache."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemFree":
            return int(value.split()[0]) << 10
    raise RuntimeError("/proc/meminfo does not say what is free.")
