"""Locks between processes of one machine.

Who removes or rewrites objects, or copies into a repository, holds the repository's; who adds a
snapshot to a chain, or replaces ``config``, holds the chains' for that moment, so that a backup
never waits for a prune.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from common.errors import Conflict
from common.repository.format.names import CONFIG
from common.storage.failures import explained

_WAIT_SECONDS = 30.0
_STEP_SECONDS = 0.1


@contextmanager
def exclusive(path: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of the repository in this folder. The system frees it if this process dies.

    Raises:
        Conflict: someone else holds it for longer than ``wait`` seconds.
    """
    with _locking(path, wait):
        yield


@contextmanager
def linking(path: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of the chains of the repository in this folder.

    Raises:
        Conflict: someone else holds it for longer than ``wait`` seconds.
    """
    with _locking(path / CONFIG, wait):
        yield


@contextmanager
def replacing_config(path: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of the chains while ``config`` is put there; without one nobody can have it.

    Raises:
        Conflict: someone else holds it for longer than ``wait`` seconds.
    """
    with explained(path):
        there = (path / CONFIG).exists()
    with linking(path, wait) if there else nullcontext():
        yield


@contextmanager
def _locking(path: Path, wait: float) -> Iterator[None]:
    give_up = time.monotonic() + wait
    while (descriptor := _lock(path)) is None:
        if time.monotonic() > give_up:
            raise Conflict(
                "Something else is changing this repository: a prune, a deletion or a copy.",
                remedy="Try again when it has ended.",
            )
        time.sleep(_STEP_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int | None:
    """What holds the lock until it is closed; None while someone else does."""
    with ExitStack() as stack:
        stack.enter_context(explained(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        # A change of keys replaces ``config``: the lock of the former file keeps nobody out.
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            return None
        stack.pop_all()
        return descriptor
