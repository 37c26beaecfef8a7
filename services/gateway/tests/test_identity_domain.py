import pytest

from gateway.identity.domain import (
    COVERED,
    Permission,
    RefusalQuota,
    allows,
    name_key,
)


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


def test_a_flood_of_refusals_is_written_in_part_and_counted_in_whole() -> None:
    """Otherwise anybody fills the audit log, or an attack in it looks small."""
    quota = RefusalQuota(window=60, each=2, total=3)
    taken = [quota.take(address, 0.0) for address in ("a", "a", "a", "b", "b", "c")]
    assert taken == [0, 0, None, 1, None, None]
    assert quota.take("a", 60.0) == 2
