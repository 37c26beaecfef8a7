"""From what a child says of its work to what a job tells: with the rate and the time to go."""

import time
from collections.abc import Callable
from typing import Any

from common.messages import JobProgressed

_MEMORY_SECONDS = 10.0
_NAME_SHOWN = 200


class Progress:
    """Takes the progress of one child and publishes it; give it to ``spawn`` as ``on_progress``.

    ``publish`` is called for each; it is the job that limits how often it is sent. The rate is a
    running mean over the last seconds, and begins anew when bytes are counted from zero again.
    Where the child knows no total, the time to go is that to ``expected_bytes``.
    """

    def __init__(
        self,
        operation_id: str,
        kind: str,
        publish: Callable[[JobProgressed], None],
        *,
        expected_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operation_id, self._kind = operation_id, kind
        self._expected = expected_bytes
        self._publish, self._clock = publish, clock
        self._bytes, self._time, self._rate = 0, clock(), 0.0

    async def __call__(self, message: dict[str, Any]) -> None:
        """One message of kind ``progress``."""
        done, total = int(message.get("done_bytes", 0)), message.get("total_bytes")
        self._advance(done)
        self._publish(
            JobProgressed(
                operation_id=self._operation_id,
                kind=self._kind,
                phase=str(message["phase"]),
                done_bytes=done,
                total_bytes=total,
                entries=int(message.get("entries", 0)),
                bytes_per_second=round(self._rate, 1),
                eta_seconds=self._eta(total),
                current=str(message.get("current", ""))[:_NAME_SHOWN],
            )
        )

    def _advance(self, done: int) -> None:
        now = self._clock()
        if done < self._bytes:
            self._bytes, self._time, self._rate = done, now, 0.0
            return
        elapsed = now - self._time
        if elapsed <= 0:
            return
        current = (done - self._bytes) / elapsed
        share = 1.0 if self._rate == 0 else min(elapsed / _MEMORY_SECONDS, 1.0)
        self._rate += (current - self._rate) * share
        self._bytes, self._time = done, now

    def _eta(self, total: int | None) -> float | None:
        end = self._expected if total is None else total
        if end is None or end < self._bytes or self._rate <= 0:
            return None
        return round((end - self._bytes) / self._rate, 1)
