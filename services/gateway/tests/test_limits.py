"""Rate limits and lockout: the decisions."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.limits.domain import (
    Closed,
    Count,
    Kind,
    Quota,
    address_bucket,
    judge,
    locked_for,
    user_bucket,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
QUOTA = Quota(3, 10)


def test_an_account_is_locked_from_the_last_failure_that_counts() -> None:
    """Otherwise guessing goes on, or a lock never ends."""
    failures = [NOON - timedelta(minutes=n) for n in (1, 2, 3, 4, 5)]
    assert locked_for(failures[:4], NOON, limit=5, duration=QUARTER) == 0
    assert locked_for(failures, NOON, limit=5, duration=QUARTER) == 600
    assert locked_for(failures, NOON + QUARTER, limit=5, duration=QUARTER) == 0


def test_a_limit_is_passed_by_one_more() -> None:
    """Otherwise the last permitted request is refused, or one more let through."""
    assert judge(Count(3, 20.0, 10, 900.0), QUOTA).wait == 0
    assert judge(Count(4, 20.0, 9, 900.0), QUOTA).wait == 20
    assert judge(Count(4, 20.0, 11, 900.0), QUOTA).wait == 900


def test_the_headers_are_those_of_the_draft() -> None:
    """Otherwise clients cannot slow down by themselves."""
    headers = judge(Count(2, 20.4, 12, 900.0), QUOTA).headers
    assert headers["RateLimit-Policy"] == '"minute";q=3;w=60, "hour";q=10;w=3600'
    assert headers["RateLimit"] == '"minute";r=1;t=20, "hour";r=0;t=900'


def test_a_share_is_never_nothing() -> None:
    """Otherwise a small limit locks everybody out of a kind of request."""
    assert Quota(1, 60).share(0.2) == Quota(1, 12)


def test_kinds_users_and_addresses_are_counted_apart() -> None:
    """Otherwise one uses up what is another's."""
    buckets = {user_bucket("u", kind) for kind in Kind}
    buckets |= {address_bucket("192.0.2.1", kind) for kind in Kind}
    assert len(buckets) == 2 * len(Kind)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_a_network_of_ipv6_is_one_address(one: str, other: str, *, same: bool) -> None:
    """Otherwise one customer has 2^64 addresses to guess from."""
    pair = address_bucket(one, Kind.LOGIN), address_bucket(other, Kind.LOGIN)
    assert (pair[0] == pair[1]) is same


def test_what_is_closed_opens_when_its_windows_end() -> None:
    """Otherwise a flood costs the database, or a user stays out for ever."""
    closed = Closed()
    closed.close("a", Count(4, 20.0, 4, 900.0), QUOTA, 100.0)
    found = closed.find("a", 105.0)
    assert found is not None
    assert found.wait == 15
    assert closed.find("a", 121.0) is None
    assert closed.find("b", 105.0) is None


def test_what_is_remembered_is_bounded() -> None:
    """Otherwise an attacker with many addresses fills the memory."""
    closed = Closed(most=2)
    for name in ("a", "b", "c"):
        closed.close(name, Count(4, 20.0, 4, 900.0), QUOTA, 100.0)
    assert closed.find("c", 101.0) is None
    closed.close("c", Count(4, 20.0, 4, 900.0), QUOTA, 130.0)
    assert closed.find("c", 131.0) is not None
