from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Conflict
from gateway.operations.domain import (
    Kind,
    Operation,
    Report,
    State,
    check_cancellable,
    told,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUEUED = Operation("o", Kind.BACKUP, "o", NOON)


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


started = st.builds(
    lambda attempt: Report(State.RUNNING, at(attempt * 10), f"worker-{attempt}", attempt),
    st.integers(1, 5),
)
ended = st.sampled_from(
    [
        Report(State.SUCCEEDED, at(100), result={"entries": 3}),
        Report(State.FAILED, at(90), failure={"code": "no_space"}),
        Report(State.CANCELLED, at(95)),
    ]
)


def after(reports: list[Report]) -> Operation:
    operation = QUEUED
    for report in reports:
        operation = told(operation, report)
    return operation


@given(st.lists(started | ended, max_size=8), st.randoms())
def test_the_order_of_events_does_not_matter(reports: list[Report], random: st.DataObject) -> None:
    """Otherwise a late event turns a finished operation back, or two replicas disagree."""
    shuffled = list(reports)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert after(shuffled) == after(reports)


@given(st.lists(started | ended, max_size=8))
def test_a_repeated_event_changes_nothing(reports: list[Report]) -> None:
    """Otherwise a redelivered event acts twice."""
    assert after(reports + reports) == after(reports)


def test_a_takeover_shows_the_worker_that_took_over() -> None:
    """Otherwise an operator looks at the wrong machine."""
    operation = after(
        [Report(State.RUNNING, at(50), "second", 2), Report(State.RUNNING, at(1), "first", 1)]
    )
    assert (operation.worker, operation.attempt, operation.started_at) == ("second", 2, at(1))


def test_an_ended_operation_never_runs_again() -> None:
    """Otherwise a list shows as running what ended long ago."""
    operation = after([Report(State.SUCCEEDED, at(9), result={}), Report(State.RUNNING, at(1))])
    assert operation.state is State.SUCCEEDED
    with pytest.raises(Conflict):
        check_cancellable(operation)


def test_what_waits_or_runs_can_be_cancelled() -> None:
    """Otherwise a backup that blocks the till cannot be stopped."""
    check_cancellable(QUEUED)
    check_cancellable(after([Report(State.RUNNING, at(1))]))
