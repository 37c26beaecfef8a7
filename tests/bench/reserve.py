"""Memory that a measured command can have at once.

The host of a virtual machine may take back what is not in use. Whoever fills memory first then
waits for the host: for each gigabyte longer than it takes to restore one.
"""

import os
import tempfile
import threading
from pathlib import Path
from typing import Self

_STEP = 256 << 20
_LOOK_SECONDS = 0.005
_BLOCK = bytes(1 << 20)


class Reserve:
    """Holds ``size`` bytes of memory, in a file in the tmpfs ``folder``.

    As a context it lets go of them while others fill what was free, and somewhat ahead: what is
    free for seconds may be taken back.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - see __exit__
        for _ in range(0, size, len(_BLOCK)):
            self._file.write(_BLOCK)
        self._held = size
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._give, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._file.close()

    def _give(self) -> None:
        enough = _free() + _STEP // 2
        while self._held and not self._ended.wait(_LOOK_SECONDS):
            if _free() < enough:
                self._held = max(0, self._held - _STEP)
                os.ftruncate(self._file.fileno(), self._held)


def _free() -> int:
    """Bytes of memory that nothing uses, not even a cache."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemFree":
            return int(value.split()[0]) << 10
    raise RuntimeError("/proc/meminfo does not say what is free.")
