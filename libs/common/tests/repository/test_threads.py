"""Threads beside a run."""

import subprocess
import sys

IDLE = """
import sys
import common.repository.run
from common.repository.threads import Threads
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
