"""Logging in and out, and giving factors."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple, Unpack

from common.crypto.passwords import Passwords
from common.crypto.tokens import digest, new_token
from common.db import borrowed, transaction
from common.errors import Unauthorized
from common.messages import Actor, uuid7
from common.outbox import Context
from common.service import Runtime
from gateway.identity import session_store, store
from gateway.identity.admission import Admission
from gateway.identity.domain import (
    AccountLocked,
    Caller,
    Client,
    RateLimited,
    WrongCredentials,
    WrongFactor,
    locked_for,
    name_key,
    over_limit,
)
from gateway.identity.refusals import audit
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


class Identity(Admission):
    """Users and their sessions."""

    def __init__(self, runtime: Runtime[Any], settings: IdentitySettings) -> None:
        super().__init__(runtime, settings)
        self._passwords = Passwords(settings.security_bcrypt_rounds)
        self._threads = ThreadPoolExecutor(HASHING_THREADS, "passwords")
        self._hashing = 0

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
        if user is None or stored is None or user.disabled or not right:
            await self._record_failure(user, client)
            raise WrongCredentials
        if self._passwords.outdated(stored):
            renewed = await self.hash(password)
            async with transaction(self._runtime.pool) as connection:
                await store.replace_hash(connection, user.id, stored, renewed)
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
        actor = Actor(user=user.id, address=client.address)
        async with self._runtime.transaction(actor) as context:
            await store.forgive(context.conn, account)
            return await self.begin(context, user.id, client, "password")

    async def begin(
        self,
        context: Context,
        user_id: str,
        client: Client,
        method: str,
        *,
        second_factor: bool = False,
    ) -> NewSession:
        """Begin a session of a user who has just given a factor; it is audited.

        Raises:
            WrongCredentials: the user is disabled or gone.
        """
        token = new_token()
        connection = context.conn
        await session_store.add_session(
            connection,
            str(uuid7()),
            user_id,
            digest(token),
            client,
            method=method,
            second_factor=second_factor,
        )
        keep = self._settings.security_max_sessions
        await session_store.end_oldest_sessions(connection, user_id, self.times, keep)
        caller = await session_store.find_caller(connection, digest(token), self.times, client)
        if caller is None:
            raise WrongCredentials
        data = {"login_method": method, "user_name": caller.name}
        await audit(context, "login_attempt", client, data=data)
        return NewSession(token, caller, int(self.times.idle.total_seconds()))

    async def complete(self, caller: Caller, method: str) -> NewSession:
        """Record the second factor in a session, which is known by a new token from now on.

        Raises:
            Unauthorized: the session has ended meanwhile.
        """
        token = new_token()
        async with self._runtime.transaction(caller.actor()) as context:
            await self._prove(context, caller, method, digest(token), second_factor=True)
            found = await session_store.find_caller(
                context.conn, digest(token), self.times, caller.client
            )
        if found is None:
            raise Unauthorized
        return NewSession(token, found, int(self.times.idle.total_seconds()))

    async def refresh(self, caller: Caller, method: str, *, second_factor: bool) -> None:
        """Record that a factor was given again: what needs a fresh one may be done for a while.

        Raises:
            Unauthorized: the session has ended meanwhile.
        """
        async with self._runtime.transaction(caller.actor()) as context:
            await self._prove(context, caller, method, None, second_factor=second_factor)

    async def _prove(
        self,
        context: Context,
        caller: Caller,
        method: str,
        token_digest: bytes | None,
        *,
        second_factor: bool,
    ) -> None:
        if not await session_store.prove(
            context.conn, caller.session_id, token_digest, second_factor=second_factor
        ):
            raise Unauthorized
        data = {"method": method, "second_factor": second_factor}
        await audit(context, "factor_given", caller.client, data=data)

    async def check_password(self, caller: Caller, password: str) -> None:
        """Refuse a password that is not the caller's. Failures lock this question for a while.

        Raises:
            AccountLocked: too many wrong ones.
            WrongFactor: it is wrong, or the user has none.
        """
        async with self.attempt(caller, "password"):
            async with borrowed(self._runtime.pool) as connection:
                stored = await store.password_of(connection, caller.user_id)
            if not await self._in_thread(self._passwords.verify, password, stored):
                raise WrongFactor

    @asynccontextmanager
    async def attempt(self, caller: Caller, factor: str) -> AsyncIterator[None]:
        """Count what the block tries as failed unless it ends well, before it is tried.

        It is counted for each user and apart from logins: a thief of a session cannot guess
        without end, and cannot keep the user from logging in.

        Raises:
            AccountLocked: too many attempts have failed.
        """
        account = hashlib.sha256(f"{factor} of {caller.user_id}".encode()).digest()
        await self._claim_attempt(account, caller.client)
        try:
            yield
        except WrongFactor:
            await self._record_wrong_factor(caller, factor)
            raise
        async with transaction(self._runtime.pool) as connection:
            await store.forgive(connection, account)

    async def _record_wrong_factor(self, caller: Caller, factor: str) -> None:
        async with self._runtime.transaction(caller.actor()) as context:
            await audit(
                context,
                "factor_given",
                caller.client,
                success=False,
                risk_level="medium",
                data={"method": factor},
            )

    async def log_out(self, caller: Caller) -> None:
        """End the session of this request."""
        async with self._runtime.transaction(caller.actor()) as context:
            await session_store.end_session(context.conn, caller.session_id, caller.user_id)
            await audit(context, "logout", caller.client)
