"""One deletion at a time: prune and forget exclude each other on one machine."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import Conflict

_WAIT_SECONDS = 30.0
_STEP_SECONDS = 0.1


@contextmanager
def exclusive(path: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of the repository in this folder. The system frees it if this process dies.

    Raises:
        Conflict: someone else holds it for longer than ``wait`` seconds.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        give_up = time.monotonic() + wait
        while not _locked(descriptor):
            if time.monotonic() > give_up:
                raise Conflict(
                    "A prune or a deletion is going on in this repository.",
                    remedy="Try again when it has ended.",
                )
            time.sleep(_STEP_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
