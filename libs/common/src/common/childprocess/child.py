"""What a module that runs as a child process is written with.

``if __name__ == "__main__": serve(work)`` makes it one. ``work`` blocks as it likes; beside it a
thread listens to the parent, and ends this process and all that it started when the parent is
gone or has been silent for longer than the leash. So no child outlives the lease that it works
under, even when its parent was stopped and could not end it.
"""

import contextlib
import logging
import os
import queue
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from common.childprocess.wire import LONGEST_LINE, BrokenTalk, decode, describe, encode
from common.errors import LeaseLost, Unavailable
from common.kernel import end_with_parent

_PROGRESS_INTERVAL = 0.25
_HEARING = 0.5
_SESSION_GROUP = Path("/proc/self/autogroup")

logger = logging.getLogger(__name__)


class Terminated(BaseException):
    """The parent has asked this process to end; what is open is cleaned up on the way out."""


class _Lines:
    """Lines from a file descriptor, each within a time limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()

    def next(self, within: float) -> bytes | None:
        """The next line, or None when there was none in time. Raises EOFError at the end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if not select.select([self._descriptor], [], [], max(within, 0.0))[0]:
                return None
            piece = os.read(self._descriptor, 65536)
            if not piece or len(self._buffer) > LONGEST_LINE:
                raise EOFError
            self._buffer += piece
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


class Channel:
    """The child's end: its ``spec``, and messages both ways."""

    def __init__(self, lines: _Lines, out: int) -> None:
        self._lines, self._out = lines, out
        self._writing = threading.Lock()
        self._inbox: queue.Queue[dict[str, Any]] = queue.Queue()
        self._told = ("", 0.0)
        first = self._lines.next(30.0)
        if first is None:
            raise EOFError
        opening = decode(first)
        self.spec: dict[str, Any] = opening["spec"]
        self.parent = int(opening["parent"])
        self.niceness = int(opening["niceness"])
        self._leash = float(opening["leash"])
        self._deadline = _now() + self._leash

    def send(self, kind: str, **fields: Any) -> None:
        """Tell the parent something; blocks while it does not listen."""
        line = encode(kind, fields)
        with self._writing:
            while line:
                line = line[os.write(self._out, line) :]

    def receive(self, *expected: str, within: float) -> dict[str, Any]:
        """The parent's next message.

        Raises:
            Unavailable: none came in time.
            BrokenTalk: it is none of the expected kinds.
        """
        try:
            message = self._inbox.get(timeout=within)
        except queue.Empty as error:
            raise Unavailable("The parent process did not answer in time.") from error
        if message["kind"] not in expected:
            raise BrokenTalk
        return message

    def progress(self, phase: str, **fields: Any) -> None:
        """Say how far the work is; more than a few times a second is dropped.

        Raises:
            LeaseLost: the leash has run out, so this process may not go on.
        """
        self.check()
        last_phase, last = self._told
        now = _now()
        if phase == last_phase and now - last < _PROGRESS_INTERVAL:
            return
        self._told = (phase, now)
        self.send("progress", phase=phase, **fields)

    def check(self) -> None:
        """Raise LeaseLost when the leash has run out: to be called before what cannot be undone."""
        if _now() > self._deadline:
            # If it is this process that slept, the parent's word is waiting to be heard.
            time.sleep(_HEARING)
            if _now() > self._deadline:
                raise LeaseLost

    def listen(self) -> None:
        """Hear the parent until it is gone; the thread beside the work."""
        with contextlib.suppress(EOFError, BrokenTalk, OSError):
            # A word that waits is heard first: it may be this process that slept.
            while line := self._next_line():
                message = decode(line)
                if message["kind"] == "alive":
                    self._deadline = _now() + self._leash
                    self._answer()
                else:
                    self._inbox.put(message)
        _end_everything()

    def _next_line(self) -> bytes | None:
        """The parent's next line; None when the leash has run out without one."""
        while True:
            left = self._deadline - _now()
            line = self._lines.next(left)
            if line is not None or left <= 0:
                return line

    def _answer(self) -> None:
        """Alive too. Not into a full pipe: this thread must never wait for the parent."""
        if not self._writing.acquire(blocking=False):
            return
        try:
            if select.select([], [self._out], [], 0)[1]:
                os.write(self._out, encode("alive", {}))
        finally:
            self._writing.release()


def serve(work: Callable[[Channel], Mapping[str, Any]]) -> NoReturn:
    """Run ``work`` as this process: its result or its error is the last that the parent hears."""
    out = _keep_stdout_for_the_parent()
    _die_with_the_parent()
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        channel = Channel(_Lines(0), out)
    except (EOFError, KeyError, BrokenTalk):
        sys.exit(2)
    if os.getppid() != channel.parent:
        sys.exit(2)
    _step_back(channel.niceness)
    threading.Thread(target=channel.listen, name="parent", daemon=True).start()
    try:
        signal.signal(signal.SIGTERM, _terminate)
        code = _outcome(work, channel)
    except Terminated:
        code = 143
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(code)


def _step_back(niceness: int) -> None:
    """Let others go first, by processor and by disk (the I/O priority follows the niceness).

    Linux may weigh whole sessions against each other first. This process has one of its own, where
    its niceness alone would set it behind nobody but itself.
    """
    os.nice(niceness)
    if niceness and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # there are no such groups, or others may not be told
            _SESSION_GROUP.write_text(str(niceness))


def _outcome(work: Callable[[Channel], Mapping[str, Any]], channel: Channel) -> int:
    try:
        result = work(channel)
        channel.send("result", **result)
    except Exception as error:
        if error_is_unforeseen(error):
            logger.exception("The work of this process failed")
        channel.send("error", **describe(error))
        return 1
    return 0


def error_is_unforeseen(error: Exception) -> bool:
    """Whether the traceback is worth keeping: no sentence was written for this error."""
    return describe(error)["code"] == "internal_error"


def _keep_stdout_for_the_parent() -> int:
    """A private descriptor for messages; whatever prints to stdout reaches the log instead."""
    out = os.dup(1)
    os.set_inheritable(out, False)
    os.dup2(2, 1)
    return out


def _die_with_the_parent() -> None:
    """Whatever it does. No core dump either: it would hold the keys."""
    end_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _terminate(signum: int, frame: object) -> None:
    del signum, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _end_everything() -> None:
    """End this process and those it started (they share its process group), at once."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(2)


def _now() -> float:
    """Seconds on a clock that goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
