"""The memory that a process uses again."""

import subprocess
import sys

BLOCKS = """
import resource
from common.heap import keep_large_blocks
keep_large_blocks()
letter = b"x"
letter * (24 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in range(50):
    letter * (2**20 * (size % 5 + 1))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_large_blocks_are_used_again() -> None:
    """Else the kernel clears new pages for every record that is read."""
    command = [sys.executable, "-c", BLOCKS]
    told = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert int(told.stdout) < 256
