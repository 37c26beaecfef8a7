"""Runs a command as its user would and reports what it cost, all its processes together."""

import contextlib
import ctypes
import os
import resource
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_SAMPLE_SECONDS = 0.02
_SAMPLING_SHARE = 0.05  # of the time goes into looking at the memory, at most
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Command:
    """What a user types, where, and in which environment."""

    words: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds, the peak of the summed proportional memory in MB.

    ``others`` are the CPU seconds that everything else on the machine used meanwhile, the kernel's
    own threads and what the host took away included: the measure of how quiet it was.
    """

    wall: float
    cpu: float
    memory: float
    others: float


class MeasuredCommandFailed(Exception):
    """A measured command ended with an error or never, so there is nothing to compare."""


def run(command: Command, timeout: float = 1800) -> Cost:
    """Run ``command`` until it and all that it started have ended, and those are waited for.

    All children of this process are waited for: it should have no others. What earlier commands
    left to be written is written before, so that nobody pays for others.

    Raises:
        MeasuredCommandFailed: it returned something else than 0, or did not end in time.
    """
    _adopt_orphans()
    os.sync()
    with tempfile.TemporaryFile() as errors:
        cpu, busy, start = _cpu_of_children(), _busy(), time.perf_counter()
        process = subprocess.Popen(
            command.words, env={**os.environ, **command.env}, cwd=command.cwd,
            stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
        )  # fmt: skip
        with _Sampler() as sampler:
            _wait(process, start + timeout)
            wall = time.perf_counter() - start
            cpu = _cpu_of_children() - cpu
            others = _busy() - busy - cpu
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-2000:]
            words = " ".join(command.words)
            raise MeasuredCommandFailed(f"{words}: {process.returncode}\n{said}")
    return Cost(wall, cpu, sampler.peak, max(0.0, others))


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Until the process has ended, and then every other that it left to us."""
    try:
        _wait_for_end(process, deadline)
        _bury_orphans(process, deadline)
    except BaseException as error:
        # Only now: the number of a group that has ended may be another's already.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise MeasuredCommandFailed(f"{process.args!r} did not end in time") from error
        raise


def _wait_for_end(process: subprocess.Popen[bytes], deadline: float) -> None:
    """``Popen.wait`` with a time limit looks every 50 ms only, a fifth of a short command."""
    handle = os.pidfd_open(process.pid)
    try:
        select.select([handle], [], [], max(0.0, deadline - time.perf_counter()))
    finally:
        os.close(handle)
    process.wait(max(0.0, deadline - time.perf_counter()))


def _bury_orphans(process: subprocess.Popen[bytes], deadline: float) -> None:
    while _reap():
        if time.perf_counter() > deadline:
            raise subprocess.TimeoutExpired(process.args, deadline)
        time.sleep(0.001)


def _reap() -> bool:
    """Bury one dead child; whether there are children."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _adopt_orphans() -> None:
    """What a command leaves behind becomes our child, so that its time is counted too."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy() -> float:
    """CPU seconds that the whole machine has used, or that its host has taken from it."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = (
        int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


class _Sampler:
    """Looks again and again how much memory our descendants have in all; ``peak`` in MB."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        pause = 0.0
        while not self._done.wait(pause):
            begin = time.perf_counter()
            self.peak = max(self.peak, sum(map(_proportional_memory, _descendants())))
            pause = max(_SAMPLE_SECONDS, (time.perf_counter() - begin) / _SAMPLING_SHARE)


def _descendants() -> list[int]:
    found = [os.getpid()]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found += [int(child) for child in task.read_text().split()]
    return found[1:]


def _proportional_memory(process: int) -> float:
    """Megabytes of a process: a page that n processes share counts as an n-th of a page."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    kibibytes = sum(int(x.split()[1]) for x in rollup.splitlines() if x.startswith("Pss:"))
    return kibibytes * 1.024 / 1000
