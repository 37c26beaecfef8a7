"""Logging in and out, and finding out who is asking."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

from common.crypto.passwords import Passwords
from common.crypto.tokens import digest, new_token
from common.db import transaction
from common.errors import Forbidden, Unauthorized
from common.messages import Actor, uuid7
from common.outbox import Context
from common.service import Runtime
from gateway.identity import store
from gateway.identity.domain import (
    AccountLocked,
    Caller,
    Client,
    Permission,
    RateLimited,
    Refusal,
    RefusalQuota,
    WrongCredentials,
    locked_for,
    name_key,
    over_limit,
)
from gateway.settings import IdentitySettings

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Hashing takes a processor for a third of a second: more at once would starve everything else.
HASHING_THREADS = 2
LONGEST_QUEUE = 64


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has begun; its token is told this once."""

    token: str
    caller: Caller
    idle_seconds: int


class Identity:
    """Users and their sessions."""

    def __init__(self, runtime: Runtime[Any], settings: IdentitySettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._passwords = Passwords(settings.security_bcrypt_rounds)
        self._threads = ThreadPoolExecutor(HASHING_THREADS, "passwords")
        self._hashing = 0
        self._quota = RefusalQuota()
        self._idle = timedelta(minutes=settings.security_session_timeout)
        self._lockout = timedelta(minutes=settings.security_lockout_duration)

    def close(self) -> None:
        """Take no more passwords; what is being hashed ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What to store for this password."""
        return await self._in_thread(self._passwords.hash, password)

    async def _in_thread(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        if self._hashing >= LONGEST_QUEUE:
            raise RateLimited(5)
        self._hashing += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._hashing -= 1

    async def log_in(self, name: str, password: str, client: Client) -> NewSession:
        """Begin a session.

        Raises:
            RateLimited: too many logins from this address.
            AccountLocked: too many failed logins to this account.
            WrongCredentials: an unknown name or a wrong password; which of them stays unsaid.
        """
        await self._limit_rate(client)
        account = hashlib.sha256(name_key(name).encode("utf-8", "surrogatepass")).digest()
        await self._claim_attempt(account, client)
        user = await store.find_user(self._runtime.pool, name_key(name))
        stored = user.password_hash if user else None
        right = await self._in_thread(self._passwords.verify, password, stored)
        if user is None or not right:
            await self._record_failure(user, client)
            raise WrongCredentials
        if self._passwords.outdated(user.password_hash):
            renewed = await self.hash(password)
            async with transaction(self._runtime.pool) as connection:
                await store.replace_hash(connection, user.id, user.password_hash, renewed)
        return await self._begin_session(user, account, client)

    async def _limit_rate(self, client: Client) -> None:
        limits = {
            60: self._settings.security_max_requests_per_minute,
            3600: self._settings.security_max_requests_per_hour,
        }
        windows = await store.count_hit(self._runtime.pool, f"login {client.address}", list(limits))
        if wait := over_limit(windows, limits):
            await self._record_refusal("rate_limited", client)
            raise RateLimited(wait)

    async def _claim_attempt(self, account: bytes, client: Client) -> None:
        """Count this login as failed before it is tried.

        Otherwise a hundred guesses sent at once would all pass before the first is counted.
        """
        limit = self._settings.security_max_login_attempts
        async with transaction(self._runtime.pool) as connection:
            failures, now = await store.recent_failures(connection, account, self._lockout, limit)
            wait = locked_for(failures, now, limit=limit, duration=self._lockout)
            if not wait:
                await store.add_failure(connection, account, client.address)
        if wait:
            await self._record_refusal("account_locked", client)
            raise AccountLocked(wait)

    async def _record_failure(self, user: store.User | None, client: Client) -> None:
        # Not the name that was given: people type their password there.
        actor = Actor(user=user.id if user else "", address=client.address)
        async with self._runtime.transaction(actor) as context:
            await _audit(context, "login_attempt", client, success=False, risk_level="medium")

    async def _begin_session(self, user: store.User, account: bytes, client: Client) -> NewSession:
        token = new_token()
        keep = self._settings.security_max_sessions
        actor = Actor(user=user.id, address=client.address)
        async with self._runtime.transaction(actor) as context:
            connection = context.conn
            await store.forgive(connection, account)
            await store.add_session(connection, str(uuid7()), user.id, digest(token), client)
            await store.end_oldest_sessions(connection, user.id, self._idle, keep)
            caller = await store.find_caller(connection, digest(token), self._idle, client)
            await _audit(context, "login_attempt", client, data={"login_method": "password"})
        if caller is None:
            raise WrongCredentials
        return NewSession(token, caller, int(self._idle.total_seconds()))

    async def log_out(self, caller: Caller) -> None:
        """End the session of this request."""
        async with self._runtime.transaction(caller.actor()) as context:
            await store.end_session(context.conn, caller.session_id)
            await _audit(context, "logout", caller.client)

    async def admit(self, token: str, needed: Permission | None, client: Client) -> Caller:
        """Who is asking, if it is a live session with the permission; None asks for any user.

        Raises:
            Unauthorized: no live session has this token.
            Forbidden: the session's user lacks the permission.
        """
        caller = None
        if token:
            caller = await store.find_caller(self._runtime.pool, digest(token), self._idle, client)
        if caller is None:
            await self._refuse_unknown(client)
        if needed is not None and not caller.may(needed):
            await self._record_refusal("permission_denied", client, caller, needed=needed.value)
            raise Forbidden(f"This needs the permission {needed.value}.")
        return caller

    async def _refuse_unknown(self, client: Client) -> NoReturn:
        await self._record_refusal("authentication_failed", client)
        raise Unauthorized

    async def still_here(self, caller: Caller) -> bool:
        """Whether the caller's session lives, for answers that go on for long."""
        return await store.session_lives(self._runtime.pool, caller.session_id, self._idle)

    async def _record_refusal(
        self, refusal: Refusal, client: Client, caller: Caller | None = None, **data: str
    ) -> None:
        suppressed = self._quota.take(f"{refusal} {client.address}", time.monotonic())
        if suppressed is None:
            return
        actor = caller.actor() if caller else Actor(address=client.address)
        details: dict[str, Any] = {**data}
        if suppressed:
            details["suppressed_before"] = suppressed
        async with self._runtime.transaction(actor) as context:
            await _audit(context, refusal, client, success=False, risk_level="medium", data=details)

    async def keep_house(self, every: float = 600.0) -> None:
        """Remove now and then what no longer counts."""
        while True:
            await asyncio.sleep(every)
            await store.purge(self._runtime.pool, self._idle, self._lockout)


async def _audit(context: Context, event_type: str, client: Client, **fields: Any) -> None:
    await context.audit(
        client.method,
        event_type=event_type,
        resource=client.resource,
        user_agent=client.user_agent,
        **fields,
    )
