"""Counting requests, for every route and over all replicas."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from common.db import Pool, borrowed
from gateway.limits import store
from gateway.limits.domain import (
    SHARES,
    Closed,
    Count,
    Kind,
    Quota,
    RateLimited,
    Verdict,
    address_bucket,
    judge,
)
from gateway.limits.tally import Tally


class RateSettings(Protocol):
    """What the limiter needs to know."""

    @property
    def security_max_requests_per_minute(self) -> int: ...
    @property
    def security_max_requests_per_hour(self) -> int: ...
    @property
    def security_rate_shares(self) -> Mapping[Kind, float]: ...


@dataclass(frozen=True, slots=True)
class Counted:
    """How a request is counted, and the headers that its answer will carry for it."""

    kind: Kind = Kind.NORMAL
    headers: dict[str, str] = field(default_factory=dict)

    def enforce(self, verdict: Verdict) -> None:
        """Say in the headers how it stands, and refuse what the verdict refuses.

        Raises:
            RateLimited: try again when it says.
        """
        self.headers.update(verdict.headers)
        if verdict.wait:
            raise RateLimited(verdict.wait)


class Limiter:
    """Judges counts that come with another statement, and counts those who are nobody yet."""

    def __init__(self, pool: Pool, settings: RateSettings, tally: Tally) -> None:
        whole = Quota(
            settings.security_max_requests_per_minute, settings.security_max_requests_per_hour
        )
        shares = {**SHARES, **settings.security_rate_shares}
        self._pool = pool
        self._quotas = {kind: whole.share(shares[kind]) for kind in Kind}
        self._tally = tally
        self._closed = Closed()

    def refuse_known(self, key: str) -> Verdict | None:
        """The verdict on a key that is known to be over its limit, without a look anywhere."""
        verdict = self._closed.find(key, time.monotonic())
        if verdict:
            self._tally.note("rate_limited_requests")
        return verdict

    def judge(self, key: str, count: Count, kind: Kind, factor: float = 1) -> Verdict:
        """The verdict on a request that has been counted; ``factor`` is the user's own."""
        quota = self._quotas[kind]
        if factor != 1:
            quota = quota.share(factor)
        verdict = judge(count, quota)
        if verdict.wait:
            self._closed.close(key, count, quota, time.monotonic())
            self._tally.note("rate_limited_requests")
        return verdict

    async def count_address(self, address: str, kind: Kind) -> Verdict:
        """Count a request of somebody who has not said who it is, or not truly."""
        bucket = address_bucket(address, kind)
        known = self.refuse_known(bucket)
        if known:
            return known
        async with borrowed(self._pool) as connection:
            count = await store.count(connection, bucket)
        return self.judge(bucket, count, kind)
