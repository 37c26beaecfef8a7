"""Instructions instead of time, for what is too short or too noisy to be timed well.

``perf stat`` counts them for nothing, where the processor's counters can be reached; elsewhere
valgrind does, which is slow and exact. Where there is neither, nothing is counted.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_TIMEOUT = 300
_FEW, _MORE = 1, 4


def instructions(name: str) -> float | None:
    """Of the primitive of this name, done once: what more of it takes more, start-up apart."""
    for count in (_perf, _valgrind):
        few = count(name, _FEW)
        more = count(name, _MORE) if few is not None else None
        if few is not None and more is not None:
            return (more - few) / (_MORE - _FEW)
    return None


def _command(name: str, repeats: int) -> list[str]:
    return [sys.executable, "-m", "bench.primitives", name, str(repeats)]


def _perf(name: str, repeats: int) -> float | None:
    words = ["perf", "stat", "-x,", "-e", "instructions:u", *_command(name, repeats)]
    return _counted(words, lambda said: re.search(r"^(\d+),", said, re.MULTILINE))


def _valgrind(name: str, repeats: int) -> float | None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        words = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={out}"]
        return _counted(
            [*words, *_command(name, repeats)],
            lambda said: re.search(r"I\s+refs:\s+([\d,]+)", said),
        )


def _counted(words: list[str], find: Callable[[str], re.Match[str] | None]) -> float | None:
    if not shutil.which(words[0]):
        return None
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        words, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    found = find(done.stderr) if done.returncode == 0 else None
    return float(found.group(1).replace(",", "")) if found else None
