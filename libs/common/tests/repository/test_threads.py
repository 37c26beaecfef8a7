"""Threads beside a run."""

import subprocess
import sys
from collections import deque
from typing import Any, cast

import pytest

from common.repository.format.codec import Compressor
from common.repository.writing.storing import ChunkStore
from vault import noise

IDLE = """
import sys
import common.repository.run
from common.repository.writing.threads import Threads
threads = Threads(1, "idle")
print("concurrent.futures" in sys.modules)
print(threads.submit(pow, 3, 4).result(), "concurrent.futures" in sys.modules)
threads.close()
"""


def test_nothing_is_loaded_for_threads_that_have_nothing_to_do() -> None:
    """Lost: the time that it takes, for every backup that stores nothing new."""
    done = subprocess.run(
        [sys.executable, "-c", IDLE], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "81", "True"]


class _Full(Exception):
    """Somebody waits for the oldest."""


class _Stuck:
    """One thread that never ends what it has."""

    most = 1

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, *_: object) -> "_Stuck":
        self.submitted += 1
        return self

    def done(self) -> bool:
        return False

    def result(self) -> object:
        raise _Full


def test_what_waits_to_be_compressed_is_bounded_by_the_threads_that_do_it() -> None:
    """Lost: the memory of a machine with many processors, each of whose readers has one thread."""
    stuck = _Stuck()
    store = ChunkStore(
        cast(Any, None),
        chunk_id_key=bytes(32),
        known=lambda _: False,
        compressor=Compressor("zstd", 3),
        pool=cast(Any, stuck),
    )
    with pytest.raises(_Full):
        deque(map(store.put, (noise(300_000, number) for number in range(100))))
    assert stuck.submitted == 7
