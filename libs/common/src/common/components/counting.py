"""How much a backup is going to read: known from the last one, or counted beside it."""

import os
import select
import signal
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol, Self, runtime_checkable

from common.components.component import Amount, Component
from common.kernel import settle

_NICENESS = 2
"""A backup keeps all processors busy: at 10 the answer comes when most of it is over."""

_END_MILLISECONDS = 1000
_ANSWER = struct.Struct("<QQ")


@runtime_checkable
class Countable(Protocol):
    """A component of which it can be said how much it gives before that is read."""

    def count(self) -> Amount:
        """What ``capture`` is going to give, by the same rules."""


class Outlook:
    """How much there is to read in all. ``known`` is what the last backup of the same had.

    Without that a process of lower priority counts the components, those that can be: of the
    others nothing is known before they have been read. It is forked: make this before there are
    threads at work. As a context it leaves no process behind. Nothing that happens to the process
    is an error: the amount just never becomes known.
    """

    def __init__(self, components: Sequence[Component], known: Amount | None) -> None:
        self._amount = known
        self._process = self._pipe = -1
        countable = [each for each in components if isinstance(each, Countable)]
        self._uncounted: set[str] = set()
        self._phase = ""
        self._done = self._beside = Amount(0, 0)
        if known is None and countable:
            self._uncounted = {each.name for each in components if each not in countable}
            with suppress(OSError):
                self._start(countable)

    @property
    def counting(self) -> bool:
        """Whether the amount is to come."""
        self._look()
        return self._pipe >= 0

    def total(self, phase: str, done: int, entries: int) -> Amount | None:
        """The amount, as soon as it is known, until more bytes than that are done.

        While a component that cannot be counted is read it is not known; what that came to is in
        the amount from then on. To be asked when a phase begins, and with what is done by then.
        """
        self._look()
        if self._phase in self._uncounted:
            more = Amount(entries - self._done.entries, done - self._done.size)
            self._beside = _sum([self._beside, more])
        self._phase, self._done = phase, Amount(entries, done)
        if self._amount is None or phase in self._uncounted:
            return None
        amount = _sum([self._amount, self._beside])
        return amount if done <= amount.size else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self._bury()
        if self._process >= 0:
            with suppress(OSError):
                _end(self._process)

    def _start(self, components: Sequence[Countable]) -> None:
        self._pipe, answer = os.pipe()
        parent = os.getpid()
        try:
            self._process = os.fork()
            if not self._process:
                _be_the_process(components, answer, parent)
        except OSError:
            self._close()
            raise
        finally:
            os.close(answer)

    def _look(self) -> None:
        """Take the answer, if it is there; then leave no dead process standing."""
        if self._pipe < 0:
            self._bury()
            return
        if not select.select([self._pipe], [], [], 0)[0]:
            return
        answer = os.read(self._pipe, _ANSWER.size)
        if len(answer) == _ANSWER.size:
            self._amount = Amount(*_ANSWER.unpack(answer))
        self._close()

    def _bury(self) -> None:
        try:
            ended = self._process < 0 or os.waitpid(self._process, os.WNOHANG)[0]
        except ChildProcessError:  # where nobody is told of the end of a child
            ended = True
        if ended:
            self._process = -1

    def _close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = -1


def _sum(amounts: Iterable[Amount]) -> Amount:
    entries, sizes = zip(*amounts, strict=True)
    return Amount(sum(entries), sum(sizes))


def _end(process: int) -> None:
    """End it. It may hang in the kernel, with a disk that does: it is not waited for for long."""
    os.kill(process, signal.SIGKILL)
    ended = os.pidfd_open(process)
    try:
        waiting = select.poll()
        waiting.register(ended, select.POLLIN)
        waiting.poll(_END_MILLISECONDS)
    finally:
        os.close(ended)
    os.waitpid(process, os.WNOHANG)


def _be_the_process(components: Sequence[Countable], answer: int, parent: int) -> None:
    """Count, answer, end. Only what this process has open and what it reads is touched."""
    try:
        if settle(parent):
            os.nice(_NICENESS)
            os.write(answer, _ANSWER.pack(*_sum(each.count() for each in components)))
    finally:
        os._exit(0)
