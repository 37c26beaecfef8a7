from datetime import UTC, datetime, timedelta

import pytest

from gateway.identity.domain import (
    COVERED,
    Permission,
    RefusalQuota,
    Window,
    allows,
    locked_for,
    name_key,
    over_limit,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize("needed", list(Permission))
def test_a_permission_allows_itself_and_nothing_else(needed: Permission) -> None:
    """Otherwise a viewer deletes."""
    assert allows({needed}, needed)
    for other in set(Permission) - {needed, Permission.MANAGE_SETTINGS}:
        assert not allows({other}, needed)
    assert not allows(set(), needed)


@pytest.mark.parametrize("needed", list(Permission))
def test_manage_settings_covers_backups_and_neither_audit_nor_users(needed: Permission) -> None:
    """Otherwise who configures backups reads or makes accounts unseen."""
    expected = needed in COVERED or needed is Permission.MANAGE_SETTINGS
    assert allows({Permission.MANAGE_SETTINGS}, needed) is expected
    assert not {Permission.AUDIT_READ, Permission.USERS_MANAGE} & COVERED


@pytest.mark.parametrize("variant", ["Admin", " admin ", "ADMIN", "\uff41dmin"])
def test_variants_of_a_name_are_one_name(variant: str) -> None:
    """Otherwise a second account looks like the first, or a lockout is evaded by a capital."""
    assert name_key(variant) == "admin"


def test_an_account_is_locked_from_the_last_failure_that_counts() -> None:
    """Otherwise guessing goes on, or a lock never ends."""
    failures = [NOON - timedelta(minutes=n) for n in (1, 2, 3, 4, 5)]
    assert locked_for(failures[:4], NOON, limit=5, duration=QUARTER) == 0
    assert locked_for(failures, NOON, limit=5, duration=QUARTER) == 600
    assert locked_for(failures, NOON + QUARTER, limit=5, duration=QUARTER) == 0


def test_a_limit_is_passed_by_one_more() -> None:
    """Otherwise the last permitted request is refused, or one more let through."""
    limits = {60: 3, 3600: 10}
    assert over_limit([Window(60, 3, 20.0), Window(3600, 10, 900.0)], limits) == 0
    assert over_limit([Window(60, 4, 20.0), Window(3600, 9, 900.0)], limits) == 20
    assert over_limit([Window(60, 4, 20.0), Window(3600, 11, 900.0)], limits) == 900


def test_a_flood_of_refusals_is_written_in_part_and_counted_in_whole() -> None:
    """Otherwise anybody fills the audit log, or an attack in it looks small."""
    quota = RefusalQuota(window=60, each=2, total=3)
    taken = [quota.take(address, 0.0) for address in ("a", "a", "a", "b", "b", "c")]
    assert taken == [0, 0, None, 1, None, None]
    assert quota.take("a", 60.0) == 2
