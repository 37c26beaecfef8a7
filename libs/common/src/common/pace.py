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
_SETTLED_SHARE = 0.03
_PATIENCE_SECONDS = 30.0
"""Before that time, and that share of the work or the longer time, the rate is that of a start."""


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
            self.begin(done, entries)
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

        Entries count where their total is known; where that of the bytes is not, they alone do.
        """
        if total is None and total_entries is not None:
            total = self._done
        if total is None or total < self._done:
            return None
        entry = _ENTRY if total_entries is not None else 0
        done = self._done + entry * self._entries
        left = total - self._done + entry * max((total_entries or 0) - self._entries, 0)
        speed = self._bytes_a_second + entry * self._entries_a_second
        if speed <= 0 or not self._is_settled(done / max(done + left, 1)):
            return None
        return left / speed

    def _is_settled(self, share: float) -> bool:
        age = self._time - self._begun
        return age >= _SETTLED_SECONDS and (share >= _SETTLED_SHARE or age >= _PATIENCE_SECONDS)

    def begin(self, done: int, entries: int) -> None:
        """Something else goes on from here: what was before says nothing of its rate."""
        self._done, self._entries = done, entries
        self._time = self._begun = self._clock()
        self.bytes_per_second = self._bytes_a_second = self._entries_a_second = 0.0
