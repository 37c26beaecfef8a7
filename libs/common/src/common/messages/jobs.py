"""What every long job tells while it runs."""

from typing import ClassVar

from common.messages.base import Event


class JobProgressed(Event):
    """How far a job is. Not stored: a listener that was away has missed it.

    The totals are there when they are known; ``counting`` says that they are to come.
    """

    type: ClassVar[str] = "job.progressed"
    stored: ClassVar[bool] = False

    operation_id: str
    kind: str
    phase: str
    done_bytes: int = 0
    total_bytes: int | None = None
    entries: int = 0
    total_entries: int | None = None
    counting: bool = False
    bytes_per_second: float = 0.0
    eta_seconds: float | None = None
    current: str = ""
