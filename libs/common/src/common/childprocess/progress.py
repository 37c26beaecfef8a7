"""From what a child says of its work to what a job tells: with the rate and the time to go."""

import time
from collections.abc import Callable
from typing import Any

from common.messages import JobProgressed
from common.pace import Pace

_NAME_SHOWN = 200


class Progress:
    """Takes the progress of one child and publishes it; give it to ``spawn`` as ``on_progress``.

    ``publish`` is called for each; it is the job that limits how often it is sent.
    """

    def __init__(
        self,
        operation_id: str,
        kind: str,
        publish: Callable[[JobProgressed], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operation_id, self._kind = operation_id, kind
        self._publish = publish
        self._pace = Pace(clock)

    async def __call__(self, message: dict[str, Any]) -> None:
        """One message of kind ``progress``."""
        done, total = int(message.get("done_bytes", 0)), message.get("total_bytes")
        entries, total_entries = int(message.get("entries", 0)), message.get("total_entries")
        self._pace.advance(done, entries)
        left = self._pace.seconds_left(total, total_entries)
        self._publish(
            JobProgressed(
                operation_id=self._operation_id,
                kind=self._kind,
                phase=str(message["phase"]),
                done_bytes=done,
                total_bytes=total,
                entries=entries,
                total_entries=total_entries,
                counting=bool(message.get("counting", False)),
                bytes_per_second=round(self._pace.bytes_per_second, 1),
                eta_seconds=None if left is None else round(left, 1),
                current=str(message.get("current", ""))[:_NAME_SHOWN],
            )
        )
