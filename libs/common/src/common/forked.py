"""Work shared out among processes, forked so that each sees all that this one has in memory.

Only what they tell comes back. A forked process has one thread and uses nothing that others of this
process may have held at that moment: it reads, computes, writes files, and ends.
"""

import fcntl
import multiprocessing
import os
import struct
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, Self, TypeVar

from common.errors import Error, Unavailable
from common.kernel import settle
from common.processors import processors

T = TypeVar("T")
_FORK = multiprocessing.get_context("fork")
_SILENCE = 900.0
"""Seconds within which one of several processes has always something to tell."""

_ENDING = 10.0
_NUMBER = struct.Struct("<H")


class Claims:
    """Numbers from 0, each given to whoever asks first, in whichever process."""

    MOST = 1024
    """All of them wait in a pipe."""

    def __init__(self, count: int) -> None:
        self._reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as pipe:
            pipe.writelines(_NUMBER.pack(number) for number in range(min(count, self.MOST)))

    def __iter__(self) -> Iterator[int]:
        while data := os.read(self._reader, _NUMBER.size):
            yield _NUMBER.unpack(data)[0]

    def close(self) -> None:
        """Nobody here will ask."""
        os.close(self._reader)


class Link:
    """A forked process' way to the one that it came from."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def tell(self, message: object) -> None:
        """Say something that is not None."""
        self._pipe.send(message)

    def is_awaited(self) -> bool:
        """Whether all that was told has been heard."""
        unread = fcntl.ioctl(self._pipe.fileno(), termios.TIOCOUTQ, bytes(4))
        return not any(unread)

    def pause(self) -> None:
        """Say that this part is done, and wait until all may go on."""
        self._pipe.send(None)
        self._pipe.recv()


class Team:
    """Forked processes that each do ``work`` once. As a context, it leaves none of them behind.

    None has anything to tell for ``silence`` seconds only where something is wrong.

    Raises:
        Unavailable: the machine has no room for them.
    """

    def __init__(
        self, work: Callable[[Link], None], size: int, *, silence: float = _SILENCE
    ) -> None:
        self._silence = silence
        self._processes: list[ForkProcess] = []
        self._pipes: list[Connection[Any, Any]] = []
        try:
            for _ in range(size):
                self._add(work)
        except OSError as error:
            self.end()
            raise Unavailable(
                f"No more processes can be made: {error.strerror}.",
                remedy="See the limits of this account and the machine's memory.",
            ) from error

    def _add(self, work: Callable[[Link], None]) -> None:
        ours, theirs = _FORK.Pipe()
        self._pipes.append(ours)
        try:
            process = _FORK.Process(target=_run, args=(work, theirs, os.getpid()), daemon=True)
            process.start()
            self._processes.append(process)
        finally:
            theirs.close()

    def hear(self) -> Iterator[Any]:
        """What they tell, until each has paused or ended.

        Raises:
            Error: what one of them raised, or that it died.
        """
        busy = list(self._pipes)
        while busy:
            ready = wait(busy, self._silence)
            if not ready:
                raise Unavailable(
                    "No process that works on this has said anything for too long.",
                    remedy="See whether a disk hangs, then try again.",
                )
            for pipe in [each for each in busy if each in ready]:
                message = _receive(pipe)
                if message is None:
                    busy.remove(pipe)
                elif isinstance(message, Exception):
                    raise message
                else:
                    yield message

    def go_on(self) -> None:
        """Let them go on after a pause."""
        for pipe in self._pipes:
            with suppress(OSError):  # it has ended: hear() tells
                pipe.send(True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End those that still run, whatever they do. Repeatable."""
        processes, self._processes = self._processes, []
        pipes, self._pipes = self._pipes, []
        for process in processes:
            process.kill()
            process.join(_ENDING)
        for pipe in pipes:
            pipe.close()


def spread(items: Sequence[T], work: Callable[[Iterator[T], Link], None]) -> Iterator[Any]:
    """Let processes share items out among themselves, each doing ``work``; what they tell."""
    parts = min(len(items), Claims.MOST)
    if not parts:
        return
    claims = Claims(parts)

    def share(link: Link) -> None:
        borders = ((n * len(items) // parts, (n + 1) * len(items) // parts) for n in claims)
        work((items[each] for begin, end in borders for each in range(begin, end)), link)

    try:
        team = Team(share, min(processors(), parts))
    finally:
        claims.close()
    with team:
        yield from team.hear()


def _receive(pipe: "Connection[Any, Any]") -> Any:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return Unavailable(
            "A process that worked on this has died.",
            remedy="See whether the machine is out of memory, then try again.",
        )


def _run(work: Callable[[Link], None], pipe: "Connection[Any, Any]", parent: int) -> None:
    if not settle(parent):
        return
    try:
        work(Link(pipe))
        pipe.send(None)
    except Error as error:
        pipe.send(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
