"""Runs a command as its user would and reports what it cost, all its processes together."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds, and the peak of the summed proportional memory in MB."""

    wall: float
    cpu: float
    memory: float


class MeasuredCommandFailed(Exception):
    """A measured command ended with an error, so there is nothing to compare."""


def _tree(pid: int) -> list[int]:
    found = [pid]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _proportional_memory(pid: int) -> float:
    """Megabytes of the process and its descendants, a page shared by n of them counted once."""
    total = 0
    for process in _tree(pid):
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        total += next(int(x.split()[1]) for x in rollup.splitlines() if x.startswith("Pss:"))
    return total / 1024


def run(
    command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None, timeout: float = 1800
) -> Cost:
    """Run ``command`` to its end.

    Raises:
        MeasuredCommandFailed: it returned something else than 0.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **env}, cwd=cwd, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    peak, done = 0.0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(_SAMPLE_SECONDS):
            try:
                peak = max(peak, _proportional_memory(process.pid))
            except (OSError, StopIteration):
                continue  # a process has ended between listing and reading

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    _, errors = process.communicate(timeout=timeout)
    wall = time.perf_counter() - start
    done.set()
    sampler.join()
    if process.returncode != 0:
        raise MeasuredCommandFailed(f"{' '.join(command)}: {process.returncode}\n{errors[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak)
