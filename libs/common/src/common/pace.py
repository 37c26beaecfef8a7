"""How fast work goes, and how long the rest of it will take."""

import time
from collections.abc import Callable

_ENTRY = 24 * 1024
"""What an entry costs besides its bytes, in bytes that take as long: a tree of many small files
goes on by its entries, a film by its bytes, and most backups have both.
"""

_SHOWN_SECONDS = 10.0
"""Over so long the rate is a mean."""

_SETTLED_SECONDS = 3.0
"""Before that the rate is that of the start of processes."""


class Pace:
    """Told how much is done. Begins anew where bytes are counted from zero again.

    The time to go follows a mean over the second half of what has gone by: it heeds a disk that
    has become slow, and a folder of films after one of mails does not make it leap.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done = self._entries = 0
        self._time = self._begun = clock()
        self.bytes_per_second = self._bytes_a_second = self._entries_a_second = 0.0

    def advance(self, done: int, entries: int) -> None:
        """So many bytes and entries are done now."""
        if done < self._done:
            self._begin(done, entries)
            return
        now = self._clock()
        elapsed = now - self._time
        if elapsed <= 0:
            return
        if not self._bytes_a_second and not self._entries_a_second:
            self._begun = self._time  # until now nothing has moved
        bytes_now = (done - self._done) / elapsed
        entries_now = (entries - self._entries) / elapsed
        age = now - self._begun
        brief = min(elapsed / min(age, _SHOWN_SECONDS), 1.0)
        long = min(elapsed / min(age, max(age / 2, _SHOWN_SECONDS)), 1.0)
        self.bytes_per_second += (bytes_now - self.bytes_per_second) * brief
        self._bytes_a_second += (bytes_now - self._bytes_a_second) * long
        self._entries_a_second += (entries_now - self._entries_a_second) * long
        self._time, self._done, self._entries = now, done, entries

    def seconds_left(self, total: int | None, total_entries: int | None = None) -> float | None:
        """Until all is done; None where that cannot be told.

        Entries count where their total is known.
        """
        if total is None or total < self._done or self._time - self._begun < _SETTLED_SECONDS:
            return None
        work, speed = float(total - self._done), self._bytes_a_second
        if total_entries is not None:
            work += _ENTRY * max(total_entries - self._entries, 0)
            speed += _ENTRY * self._entries_a_second
        return work / speed if speed > 0 else None

    def _begin(self, done: int, entries: int) -> None:
        self._done, self._entries = done, entries
        self._time = self._begun = self._clock()
        self.bytes_per_second = self._bytes_a_second = self._entries_a_second = 0.0
