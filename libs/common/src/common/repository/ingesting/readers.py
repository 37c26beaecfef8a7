"""Processes that read files for a run: loaded when there is enough to read for the first one."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from common.errors import Error, of_code
from common.processors import processors
from common.repository.index.knownpacks import KnownPacks
from common.repository.ingesting.assignment import Assignment
from common.repository.ingesting.channel import Channel, Crowded, Gone
from common.repository.ingesting.reading import FileRead, Outcome
from common.repository.ingesting.tasks import MOST_BYTES, Task

_WORTH_THREADS = 32 * 1024**2
"""A process that begins with more than this is likely to be alone with it."""

_AT_ONCE = 8
"""Tasks that a process has at most: what it does while the run stores what came of others."""

_MUCH = 2 * MOST_BYTES
"""A process with so much to read gets no more: another one may be through with its own sooner."""

_SILENCE_SECONDS = 900.0
_CROWDED_SECONDS = 0.05
_END_SECONDS = 30.0
_INHERITED = {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"}
"""Of the environment: none of the keys that may be in it."""

_TOO_FEW_FILES = "See what else has many files open, or raise the limit of open files (ulimit -n)."
_PROGRAM = "common.repository.ingesting.reader_process"


class ReaderLost(Error):
    """A process that read files for this backup has ended or no longer answers."""

    code = "reader_lost"
    remedy = "See whether the machine is out of memory, and run the backup again."


class _Reader:
    """A process, and the tasks that it has not done yet."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self.process = process
        self.channel = channel
        self.tasks: deque[Task] = deque()
        self.bytes = 0

    @property
    def is_free(self) -> bool:
        """Whether it may get one more."""
        return len(self.tasks) < _AT_ONCE and self.bytes < _MUCH


class Processes:
    """Up to ``most`` processes, started as there is work for them.

    ``assignment`` is what a process is told first, but for its threads. ``advance`` is told the
    number of bytes read.
    """

    def __init__(
        self,
        most: int,
        assignment: Assignment,
        known: KnownPacks,
        advance: Callable[[int], None],
    ) -> None:
        self._most = most
        self._assignment = assignment
        self._known = known
        self._advance = advance
        self._readers: list[_Reader] = []
        self._ready = selectors.DefaultSelector()

    def submit(self, task: Task) -> None:
        """Have a task done; waits while every process has enough to do."""
        self._hand_over(self._free_reader(task), task)

    def wait(self) -> None:
        """Wait until a process has done something.

        Raises:
            ReaderLost: one has ended, or none has said a word for a long time.
            Error: one has failed.
        """
        if not self.collect(_SILENCE_SECONDS):
            raise ReaderLost(remedy="Look for a disk or network share that hangs, and try again.")

    def collect(self, within: float) -> bool:
        """Take what the processes have to say; whether that was anything."""
        ready = self._ready.select(within)
        for key, events in ready:
            if events & selectors.EVENT_READ:
                self._take(key.data, self._receive(key.data))
        return bool(ready)

    def finish(self) -> tuple[int, int]:
        """Have everything made durable and listed: bytes that were not stored before, and bytes
        written. The processes end by themselves.
        """
        added = stored = 0
        for reader in self._readers:
            self._send(reader, ("finish",))
        for reader in self._readers:
            while True:
                message = self._receive(reader)
                if message[0] == "finished":
                    break
                self._take(reader, message)
            added, stored = added + message[1], stored + message[2]
            self._known.merge(message[3])
        return added, stored

    def end(self) -> None:
        """End the processes; each removes what it has not listed. Repeatable."""
        for reader in self._readers:
            self._ready.unregister(reader.channel)
            reader.channel.close()
        for reader in self._readers:
            try:
                reader.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                reader.process.kill()
                reader.process.wait()
        self._readers.clear()
        self._ready.close()

    def _free_reader(self, task: Task) -> _Reader:
        """The process with the least to do, when it has not enough; a new one where all have."""
        while True:
            free = [each for each in self._readers if each.is_free]
            if free:
                return min(free, key=lambda each: each.bytes)
            if len(self._readers) < self._most:
                return self._start(processors() if task.size > _WORTH_THREADS else 1)
            self.wait()

    def _start(self, threads: int) -> _Reader:
        ours, theirs = socket.socketpair()
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # with that mask, because on Ctrl-C it is this run that ends the process
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", _PROGRAM],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name in _INHERITED},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        theirs.close()
        reader = _Reader(process, Channel(ours, _SILENCE_SECONDS))
        self._readers.append(reader)
        self._ready.register(reader.channel, selectors.EVENT_READ, reader)
        assignment = self._assignment._replace(threads=threads)
        self._send(reader, tuple(assignment), [self._known.table.descriptor])
        return reader

    def _hand_over(self, reader: _Reader, task: Task) -> None:
        folders: dict[int, int] = {}
        files = [
            (folders.setdefault(folder, len(folders)), name, seen)
            for folder, name, seen in task.files_to_read()
        ]
        self._send(reader, ("task", *files), list(folders))
        reader.tasks.append(task)
        reader.bytes += task.size

    def _take(self, reader: _Reader, message: tuple[Any, ...]) -> None:
        self._advance(message[1])
        if message[0] == "done":
            task = reader.tasks.popleft()
            reader.bytes -= task.size
            task.done([_revived(outcome) for outcome in message[2]], message[3])

    def _send(self, reader: _Reader, message: tuple[Any, ...], files: Sequence[int] = ()) -> None:
        patience = time.monotonic() + _SILENCE_SECONDS
        sent = False
        while not sent:
            try:
                for _ in reader.channel.sending(message, files):
                    self._wait_for_room(reader)
                sent = True
            except Crowded as error:
                if time.monotonic() > patience:
                    raise ReaderLost(remedy=_TOO_FEW_FILES) from error
                self.collect(_CROWDED_SECONDS)
            except Gone:
                while True:  # until what it said last, or that it is gone, is raised
                    self._take(reader, self._receive(reader))

    def _wait_for_room(self, reader: _Reader) -> None:
        """Wait until this process may take more, or any has done something: one that waits to be
        heard takes nothing.
        """
        self._ready.modify(reader.channel, selectors.EVENT_READ | selectors.EVENT_WRITE, reader)
        self.wait()
        self._ready.modify(reader.channel, selectors.EVENT_READ, reader)

    def _receive(self, reader: _Reader) -> tuple[Any, ...]:
        try:
            message, _ = reader.channel.receive()
        except Gone as error:
            status = _status(reader.process)
            raise ReaderLost(f"{ReaderLost().message} {status}".rstrip()) from error
        if message[0] == "failed":
            raise of_code(*message[1:])
        return message


def _revived(outcome: Any) -> Outcome:
    return FileRead(*outcome) if isinstance(outcome, tuple) else outcome


def _status(process: subprocess.Popen[bytes]) -> str:
    with suppress(subprocess.TimeoutExpired):
        status = process.wait(1)
        if status < 0:
            return f"It was ended by signal {-status}."
    return ""
