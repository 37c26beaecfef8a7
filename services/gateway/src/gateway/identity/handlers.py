"""Logging in and out, and finding out who is asking."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, TypeVarTuple, Unpack

import structlog

from common.crypto.passwords import Passwords
from common.crypto.tokens import digest, new_token
from common.db import borrowed, is_transient, transaction
from common.errors import Forbidden, Unauthorized
from common.messages import Actor, uuid7
from common.service import Runtime
from gateway.identity import store
from gateway.identity.domain import (
    AccountLocked,
    Caller,
    Client,
    Permission,
    RateLimited,
    WrongCredentials,
    locked_for,
    name_key,
    over_limit,
)
from gateway.identity.refusals import Refusals, audit
from gateway.settings import IdentitySettings

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Hashing takes a processor for a third of a second: more at once would starve everything else.
HASHING_THREADS = 2
LONGEST_QUEUE = 64

log = structlog.stdlib.get_logger(__name__)


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
        self._refusals = Refusals(runtime)
        self._passwords = Passwords(settings.security_bcrypt_rounds)
        self._threads = ThreadPoolExecutor(HASHING_THREADS, "passwords")
        self._hashing = 0
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
        account = hashlib.sha256(name_key(name).encode()).digest()
        await self._claim_attempt(account, client)
        async with borrowed(self._runtime.pool) as connection:
            user = await store.find_user(connection, name_key(name))
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
        async with borrowed(self._runtime.pool) as connection:
            windows = await store.count_hit(connection, f"login {client.address}", list(limits))
        if wait := over_limit(windows, limits):
            await self._refusals.record("rate_limited", client)
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
            await self._refusals.record("account_locked", client)
            raise AccountLocked(wait)

    async def _record_failure(self, user: store.User | None, client: Client) -> None:
        # Not the name that was given: people type their password there.
        actor = Actor(user=user.id if user else "", address=client.address)
        async with self._runtime.transaction(actor) as context:
            await audit(context, "login_attempt", client, success=False, risk_level="medium")

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
            data = {"login_method": "password", "user_name": user.name}
            await audit(context, "login_attempt", client, data=data)
        if caller is None:
            raise WrongCredentials
        return NewSession(token, caller, int(self._idle.total_seconds()))

    async def log_out(self, caller: Caller) -> None:
        """End the session of this request."""
        async with self._runtime.transaction(caller.actor()) as context:
            await store.end_session(context.conn, caller.session_id)
            await audit(context, "logout", caller.client)

    async def admit(self, token: str, needed: Permission | None, client: Client) -> Caller:
        """Who is asking, if it is a live session with the permission; None asks for any user.

        Raises:
            Unauthorized: no live session has this token.
            Forbidden: the session's user lacks the permission.
        """
        caller = None
        if token:
            async with borrowed(self._runtime.pool) as connection:
                caller = await store.find_caller(connection, digest(token), self._idle, client)
        if caller is None:
            await self._refusals.record("authentication_failed", client)
            raise Unauthorized
        if needed is not None:
            await self.require(caller, needed)
        return caller

    async def require(self, caller: Caller, needed: Permission) -> None:
        """Refuse a caller without the permission.

        Raises:
            Forbidden: naming the permission.
        """
        if not caller.may(needed):
            await self._refusals.record(
                "permission_denied", caller.client, caller, needed=needed.value
            )
            raise Forbidden(f"This needs the permission {needed.value}.")

    async def still_here(self, caller: Caller) -> bool:
        """Whether the caller's session is known to live, for answers that go on for long."""
        try:
            async with borrowed(self._runtime.pool) as connection:
                return await store.session_lives(connection, caller.session_id, self._idle)
        except Exception as error:
            if is_transient(error):
                return False
            raise

    async def keep_house(self, every: float = 600.0) -> None:
        """Remove now and then what no longer counts."""
        while True:
            await asyncio.sleep(every)
            try:
                async with transaction(self._runtime.pool) as connection:
                    await store.purge(connection, self._idle, self._lockout)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("the database is away, cleaning later")
