from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Conflict
from common.messages import BackupCompleted, ComponentResult
from gateway.backups import domain
from gateway.backups.domain import Backup, BackupState
from gateway.operations.domain import Kind

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
COMPLETED = BackupCompleted(
    backup_id="b",
    backup_name="nightly",
    station="till-3",
    plan="manual",
    backup_type="full",
    snapshot_id="ab",
    chain="c",
    counter=1,
    components=(ComponentResult(name="files", kind="files"),),
    entries=1,
    size_bytes=2,
    added_bytes=3,
    stored_bytes=4,
    duration_seconds=5.0,
    encrypted=True,
)

Change = Callable[[Backup], Backup]


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def started(backup: Backup) -> Backup:
    named = domain.named(backup, "nightly", "till-3")
    return domain.reached(named, BackupState.RUNNING)


def failed(backup: Backup) -> Backup:
    named = domain.named(backup, "nightly", "till-3")
    return domain.reached(named, BackupState.FAILED, at(20), {"code": "no_space"})


def completed(backup: Backup) -> Backup:
    return domain.completed(backup, COMPLETED, at(30))


def deleted(backup: Backup) -> Backup:
    return domain.reached(backup, BackupState.DELETED)


def verified_well(backup: Backup) -> Backup:
    return domain.verified(backup, ok=True, at=at(40))


def verified_badly(backup: Backup) -> Backup:
    return domain.verified(backup, ok=False, at=at(50))


def restored(backup: Backup) -> Backup:
    return domain.restored(backup, at(60))


CHANGES: list[Change] = [
    started,
    failed,
    completed,
    deleted,
    verified_well,
    verified_badly,
    restored,
]


def after(changes: Sequence[Change]) -> Backup:
    backup = Backup("b", NOON)
    for change in changes:
        backup = change(backup)
    return backup


def history(changes: list[Change]) -> list[Change]:
    """Only what was completed is ever deleted."""
    return [*changes, completed] if deleted in changes else changes


histories = st.lists(st.sampled_from(CHANGES), max_size=10).map(history)


@given(histories.flatmap(lambda changes: st.tuples(st.just(changes), st.permutations(changes))))
def test_the_order_of_events_does_not_matter(orders: tuple[list[Change], list[Change]]) -> None:
    """Otherwise a late event hides a backup, or lists one that is gone."""
    first, second = orders
    assert after(first) == after(second)


@given(st.lists(st.sampled_from(CHANGES), max_size=6))
def test_a_repeated_event_changes_nothing(changes: list[Change]) -> None:
    """Otherwise a redelivered event acts twice."""
    assert after(changes + changes) == after(changes)


@pytest.mark.parametrize("late", [started, failed])
def test_a_completed_backup_never_goes_back(late: Change) -> None:
    """Otherwise a good backup cannot be restored."""
    assert after([completed, late]).state is BackupState.COMPLETED


def test_a_deleted_backup_never_comes_back() -> None:
    """Otherwise one is listed that cannot be restored."""
    backup = after([deleted, completed])
    assert backup.state is BackupState.DELETED
    assert backup.name == "nightly"


def test_an_older_verification_does_not_outweigh_a_newer_one() -> None:
    """Otherwise damage that was found disappears from the list."""
    assert after([verified_badly, verified_well]).verified_ok is False


@pytest.mark.parametrize("changes", [[], [started], [failed], [completed, deleted]])
def test_only_what_is_there_can_be_read_or_deleted(changes: list[Change]) -> None:
    """Otherwise a restore of nothing is promised."""
    with pytest.raises(Conflict):
        domain.check_readable(after(changes), ())
    with pytest.raises(Conflict):
        domain.check_deletable(after(changes), ())


def test_what_is_in_use_is_not_deleted_and_what_goes_is_not_read() -> None:
    """Otherwise a restore loses its backup half-way."""
    backup = after([completed])
    domain.check_readable(backup, {Kind.RESTORE, Kind.VERIFICATION})
    domain.check_deletable(backup, set())
    for kind in (Kind.RESTORE, Kind.VERIFICATION, Kind.DELETION):
        with pytest.raises(Conflict):
            domain.check_deletable(backup, {kind})
    with pytest.raises(Conflict):
        domain.check_readable(backup, {Kind.DELETION})


def test_only_what_has_not_ended_can_be_cancelled() -> None:
    """Otherwise a cancel is promised that can do nothing."""
    domain.check_cancellable(after([]))
    domain.check_cancellable(after([started]))
    for changes in ([failed], [completed], [deleted]):
        with pytest.raises(Conflict):
            domain.check_cancellable(after(changes))


def test_a_generated_name_is_a_name() -> None:
    """Otherwise a backup without a name cannot be verified by name."""
    name = domain.generated_name("full", "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11", NOON)
    assert name == "full-20261121T120000Z-3c2d11"
