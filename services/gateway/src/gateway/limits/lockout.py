"""Who may try a password: accounts, addresses and known devices are counted apart.

An account that strangers failed to open is locked for strangers; a device from which it was opened
before goes on, within tries of its own. So nobody can lock an administrator out from elsewhere.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from common.crypto.tokens import digest, new_token
from common.db import Connection
from gateway.limits import store
from gateway.limits.domain import AccountLocked, RateLimited, locked_for, network

DEVICE_LIFE = timedelta(days=180)
DEVICES_KEPT = 20
ADDRESS_FACTOR = 10
"""An address may fail so many times as often as an account: many people share one."""


class LockoutSettings(Protocol):
    """What lockout needs to know."""

    @property
    def security_max_login_attempts(self) -> int: ...
    @property
    def security_lockout_duration(self) -> int: ...


def account_of(name_key: str) -> bytes:
    """How an account is stored here: a digest, because people type passwords into that field."""
    return hashlib.sha256(name_key.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that was counted as failed, and is forgiven when it succeeds."""

    account: bytes
    address: str
    device: bytes | None
    number: int = 0


class Lockout:
    """Counts failures in the transactions it is given."""

    def __init__(self, settings: LockoutSettings) -> None:
        self.limit = settings.security_max_login_attempts
        self.duration = timedelta(minutes=settings.security_lockout_duration)

    async def claim(
        self, connection: Connection, account: bytes, address: str, device_token: str = ""
    ) -> tuple[Attempt, AccountLocked | RateLimited | None]:
        """Count this login as failed before it is tried, and why it may not be tried at all.

        Counted before: otherwise a hundred guesses sent at once would all pass. A refusal is
        returned, not raised, because this transaction has to commit either way.
        """
        address = network(address)
        await store.take_turn(connection, account)
        device = await self._device(connection, account, device_token)
        attempt = Attempt(account, address, device)
        recent = await store.recent_failures(connection, account, device, self.duration, self.limit)
        wait = locked_for(recent.at, recent.now, limit=self.limit, duration=self.duration)
        if wait:
            return attempt, AccountLocked(wait, pending=recent.pending)
        if device is None:
            most = self.limit * ADDRESS_FACTOR
            others = await store.failures_from(connection, address, self.duration, most)
            wait = locked_for(others, recent.now, limit=most, duration=self.duration)
            if wait:
                return attempt, RateLimited(wait)
        number = await store.add_failure(connection, account, address, device)
        return replace(attempt, number=number), None

    async def _device(self, connection: Connection, account: bytes, token: str) -> bytes | None:
        if not token:
            return None
        found = digest(token)
        known = await store.knows_device(connection, account, found, DEVICE_LIFE)
        return found if known else None

    async def settle(self, connection: Connection, attempt: Attempt) -> None:
        """What was tried has failed: nobody waits for it any more."""
        await store.settle(connection, attempt.number)

    async def forget(self, connection: Connection, attempt: Attempt) -> None:
        """What was tried has succeeded: forget its failures."""
        await store.forgive(connection, attempt.account, attempt.address, attempt.device)

    async def forgive(self, connection: Connection, attempt: Attempt) -> str:
        """The login has succeeded: forget its failures.

        Returns the token by which this device is known from now on, if it was a stranger.
        """
        await self.forget(connection, attempt)
        token = "" if attempt.device else new_token()
        known = attempt.device or digest(token)
        await store.know_device(connection, attempt.account, known, DEVICES_KEPT)
        return token
