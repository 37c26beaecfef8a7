"""Rate limits and lockout: decisions without I/O."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from common.errors import Permanent


class Kind(StrEnum):
    """Kinds of request, each counted apart and with a limit of its own."""

    NORMAL = "normal"
    HEAVY = "heavy"
    TOKEN = "token"  # noqa: S105 - a kind of request, no password
    LOGIN = "login"


SHARES: Mapping[Kind, float] = MappingProxyType(
    {Kind.NORMAL: 1.0, Kind.HEAVY: 0.5, Kind.TOKEN: 0.5, Kind.LOGIN: 0.2}
)
"""The part of SECURITY_MAX_REQUESTS_PER_MINUTE and _HOUR that each kind may use."""

MINUTE, HOUR = 60, 3600


class AccountLocked(Permanent):
    """Too many failed logins: the account is locked for a while.

    ``pending``: unless one of those that are being tried just now succeeds.
    """

    code = "account_locked"
    status = 423

    def __init__(self, seconds: float, *, pending: bool = False) -> None:
        super().__init__()
        self.retry_after = seconds
        self.pending = pending


class RateLimited(Permanent):
    """Too many requests: slow down."""

    code = "rate_limited"
    status = 429

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.retry_after = seconds


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests are let through in a minute and in an hour."""

    minute: int
    hour: int

    def share(self, part: float) -> "Quota":
        """A part of it, at least one request."""
        return Quota(max(1, round(self.minute * part)), max(1, round(self.hour * part)))


@dataclass(frozen=True, slots=True)
class Count:
    """How often something was asked for in the windows that end in so many seconds."""

    minute_hits: int
    minute_left: float
    hour_hits: int
    hour_left: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request passes: ``wait`` is 0, else the seconds until one would again."""

    wait: float
    headers: Mapping[str, str]


def judge(count: Count, quota: Quota) -> Verdict:
    """Whether the request that was counted last is within its quota, and the headers to say so.

    The fields are those of draft-ietf-httpapi-ratelimit-headers.
    """
    windows = (
        ("minute", MINUTE, quota.minute, count.minute_hits, count.minute_left),
        ("hour", HOUR, quota.hour, count.hour_hits, count.hour_left),
    )
    wait = max((left for _, _, most, hits, left in windows if hits > most), default=0.0)
    policy = ", ".join(f'"{name}";q={most};w={size}' for name, size, most, _, _ in windows)
    state = ", ".join(
        f'"{name}";r={max(0, most - hits)};t={max(1, round(left))}'
        for name, _, most, hits, left in windows
    )
    return Verdict(wait, {"RateLimit-Policy": policy, "RateLimit": state})


def network(address: str) -> str:
    """What is counted as one address: a whole /64 of IPv6, which one customer has to himself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


def user_bucket(user_id: str, kind: Kind) -> str:
    """Where a user's requests are counted, as ``count_request`` names it."""
    return f"user {user_id} {kind}"


def address_bucket(address: str, kind: Kind) -> str:
    """Where the requests of an address are counted that has not said who it is."""
    return f"address {network(address)} {kind}"


def locked_for(
    failures: Sequence[datetime], now: datetime, *, limit: int, duration: timedelta
) -> float:
    """For how many seconds more somebody is locked out who failed at these times, newest first."""
    if len(failures) < limit:
        return 0.0
    return max(0.0, (failures[limit - 1] + duration - now).total_seconds())


class Closed:
    """Buckets known to be over their limit: a flood of them costs no look at the database."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._seen: dict[str, tuple[float, Count, Quota]] = {}

    def close(self, key: str, count: Count, quota: Quota, now: float) -> None:
        """Remember that what comes under ``key`` is refused until its windows end."""
        if len(self._seen) >= self._most:
            self._seen = {k: v for k, v in self._seen.items() if _judge_later(*v, now).wait > 0}
        if len(self._seen) < self._most:
            self._seen[key] = (now, count, quota)

    def find(self, key: str, now: float) -> Verdict | None:
        """Why this is refused, if it is known to be."""
        found = self._seen.get(key)
        if found is None:
            return None
        verdict = _judge_later(*found, now)
        if verdict.wait > 0:
            return verdict
        del self._seen[key]
        return None


def _judge_later(counted: float, count: Count, quota: Quota, now: float) -> Verdict:
    """The verdict on a count of some time ago: a window that has ended since counts nothing."""
    passed = now - counted
    minute_left, hour_left = count.minute_left - passed, count.hour_left - passed
    later = Count(
        count.minute_hits if minute_left > 0 else 0,
        max(0.0, minute_left),
        count.hour_hits if hour_left > 0 else 0,
        max(0.0, hour_left),
    )
    return judge(later, quota)
