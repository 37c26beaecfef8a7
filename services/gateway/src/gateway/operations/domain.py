"""What is known of an operation, and how that grows with each thing that is told.

Events come more than once, late and in any order. ``told`` therefore only ever adds: the outcome
is the same whatever the order, and nothing goes back from an end to a beginning.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from common.errors import Conflict


class Kind(StrEnum):
    """What is done."""

    BACKUP = "backup"
    RESTORE = "restore"
    VERIFICATION = "verification"
    DELETION = "deletion"


class State(StrEnum):
    """How far it is. The order is that of certainty: what comes later here outweighs the rest."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SUCCEEDED = "succeeded"

    @property
    def rank(self) -> int:
        """The state's place in that order."""
        return list(State).index(self)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.rank >= State.CANCELLED.rank


@dataclass(frozen=True, slots=True)
class Operation:
    """Something long that was asked for. Its id is that of the backup or restore it makes."""

    id: str
    kind: Kind
    backup_id: str
    created_at: datetime
    state: State = State.QUEUED
    station: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    worker: str = ""
    attempt: int = 0
    requested_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What one event says about an operation."""

    state: State
    at: datetime
    worker: str = ""
    attempt: int = 0
    result: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None


def told(operation: Operation, report: Report) -> Operation:
    """The operation with what the report adds to it."""
    if report.state is State.RUNNING:
        operation = _started(operation, report)
    if report.state.rank <= operation.state.rank:
        return operation
    if not report.state.ended:
        return replace(operation, state=report.state)
    return replace(
        operation,
        state=report.state,
        finished_at=report.at,
        result=report.result,
        failure=report.failure,
    )


def _started(operation: Operation, report: Report) -> Operation:
    begin = operation.started_at
    operation = replace(operation, started_at=min(begin, report.at) if begin else report.at)
    if report.attempt <= operation.attempt:
        return operation
    return replace(operation, worker=report.worker, attempt=report.attempt)


def check_cancellable(operation: Operation) -> None:
    """Refuse to cancel what has ended."""
    if operation.state.ended:
        raise Conflict(f"This {operation.kind} has ended already: it is {operation.state}.")
