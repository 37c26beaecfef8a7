"""Trying passwords and factors: counted as failed before they are tried."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.db import transaction
from common.messages import Actor
from gateway.identity import store
from gateway.identity.admission import Admission
from gateway.identity.auditing import audit
from gateway.identity.domain import Caller, Client, WrongFactor
from gateway.limits.domain import AccountLocked
from gateway.limits.lockout import Attempt

PATIENCE = 10.0
"""Seconds that a login waits for those before it."""
SOON, LATER = 0.1, 1.0
"""Seconds after which it looks again: twice as long each time, up to the second."""


class Attempts(Admission):
    """Counts attempts, and records those that have failed."""

    async def claim_attempt(self, account: bytes, client: Client, device: str = "") -> Attempt:
        """Count what is going to be tried as failed, if it may be tried at all.

        What comes together waits for a while for the outcome of what came before it: logins that
        are right must not lock each other out.

        Raises:
            AccountLocked: too much of it has failed.
            RateLimited: too much from this address.
        """
        deadline, pause = time.monotonic() + PATIENCE, SOON
        while True:
            async with transaction(self._runtime.pool) as connection:
                attempt, refused = await self.lockout.claim(
                    connection, account, client.address, device
                )
            unsettled = isinstance(refused, AccountLocked) and refused.pending
            if not unsettled or time.monotonic() >= deadline:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, LATER)
        if isinstance(refused, AccountLocked):
            self.tally.note("account_lockouts")
            await self._refusals.record("account_locked", client)
        elif refused:
            await self._refusals.record("rate_limited", client)
        if refused:
            raise refused
        return attempt

    async def record_failure(
        self, user: store.User | None, client: Client, attempt: Attempt
    ) -> None:
        """Record that a login has failed."""
        self.tally.note("failed_login_attempts")
        # Not the name that was given: people type their password there.
        actor = Actor(user=user.id if user else "", address=client.address)
        async with self._runtime.transaction(actor) as context:
            await self.lockout.settle(context.conn, attempt)
            await audit(context, "login_attempt", client, success=False, risk_level="medium")

    @asynccontextmanager
    async def attempt(self, caller: Caller, factor: str) -> AsyncIterator[None]:
        """Count what the block tries as failed unless it ends well, before it is tried.

        It is counted for each user and apart from logins: a thief of a session cannot guess
        without end, and cannot keep the user from logging in.

        Raises:
            AccountLocked: too many attempts have failed.
        """
        account = hashlib.sha256(f"{factor} of {caller.user_id}".encode()).digest()
        attempt = await self.claim_attempt(account, caller.client)
        try:
            yield
        except WrongFactor:
            await self._record_wrong_factor(caller, factor, attempt)
            raise
        async with transaction(self._runtime.pool) as connection:
            await self.lockout.forget(connection, attempt)

    async def _record_wrong_factor(self, caller: Caller, factor: str, attempt: Attempt) -> None:
        async with self._runtime.transaction(caller.actor()) as context:
            await self.lockout.settle(context.conn, attempt)
            await audit(
                context,
                "factor_given",
                caller.client,
                success=False,
                risk_level="medium",
                data={"method": factor},
            )
