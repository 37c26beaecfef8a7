"""Logging in and out, and giving factors."""

from dataclasses import dataclass, replace
from typing import Any

from common.crypto.tokens import digest, new_token
from common.db import Connection, borrowed, transaction
from common.errors import Unauthorized, Unavailable
from common.messages import Actor, uuid7
from common.outbox import Context
from common.service import Runtime
from gateway.identity import caller_store, session_store, store
from gateway.identity.attempts import Attempts
from gateway.identity.auditing import audit, audit_change
from gateway.identity.domain import (
    Caller,
    Client,
    WrongCredentials,
    WrongFactor,
    name_key,
)
from gateway.limits import store as limits
from gateway.limits.lockout import Attempt, account_of
from gateway.passwords import Hashing, NewPasswords
from gateway.passwords.domain import USED_BEFORE, Assessment
from gateway.passwords.history import Judge, PasswordRefused
from gateway.settings import IdentitySettings


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has begun; its token is told this once.

    ``device`` is the token by which the device is known from now on; empty if it was before.
    """

    token: str
    caller: Caller
    idle_seconds: int
    device: str = ""


class Identity(Attempts):
    """Users and their sessions."""

    def __init__(self, runtime: Runtime[Any], settings: IdentitySettings) -> None:
        super().__init__(runtime, settings)
        self._hashing = Hashing(settings)
        self._new_passwords = NewPasswords(settings, self._hashing)

    @property
    def judge(self) -> Judge:
        """What is wrong with a password."""
        return self._new_passwords.judge

    def close(self) -> None:
        """Take no more passwords; what is being hashed ends by itself."""
        self._hashing.close()

    async def hash(self, password: str) -> str:
        """What to store for this password."""
        return await self._hashing.hash(password)

    async def log_in(
        self, name: str, password: str, client: Client, device: str = ""
    ) -> NewSession:
        """Begin a session. ``device`` is the token by which the client's device may be known.

        Raises:
            RateLimited: too many failed logins from this address.
            AccountLocked: too many failed logins to this account, by strangers or by this device.
            WrongCredentials: an unknown name or a wrong password; which of them stays unsaid.
        """
        attempt = await self.claim_attempt(account_of(name_key(name)), client, device)
        async with borrowed(self._runtime.pool) as connection:
            user = await store.find_user(connection, name_key(name))
        stored = user.password_hash if user else None
        right = await self._hashing.verify(password, stored)
        if user is None or stored is None or user.disabled or not right:
            await self.record_failure(user, client, attempt)
            raise WrongCredentials
        if self._hashing.outdated(stored):
            former, stored = stored, await self.hash(password)
            async with transaction(self._runtime.pool) as connection:
                await store.replace_hash(connection, user.id, former, stored)
        return await self._begin_session(user.id, password, stored, attempt, client)

    async def _leaked(self, password: str) -> bool:
        try:
            return await self._hashing.in_thread(self.judge.leaked, password)
        except Unavailable:
            return False  # a file that is away keeps nobody out

    async def _begin_session(
        self, user_id: str, password: str, stored: str, attempt: Attempt, client: Client
    ) -> NewSession:
        actor, leaked = Actor(user=user_id, address=client.address), await self._leaked(password)
        async with self._runtime.transaction(actor) as context:
            device = await self.lockout.forgive(context.conn, attempt)
            begun = await self.begin(context, user_id, client, "password")
            # The user's row is locked from here on: a change of the password either shows now, or
            # comes later and ends this session.
            current = await store.password_of(context.conn, user_id)
            if current != stored and not await self._hashing.verify(password, current):
                raise WrongCredentials
            if leaked:
                await audit(context, "breached_password_used", client, risk_level="high")
        return replace(begun, device=device)

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
        await session_store.lock_user(connection, user_id)
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
        caller = await caller_store.find_caller(connection, digest(token), self.times, client)
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
            await session_store.lock_user(context.conn, caller.user_id)
            await self._prove(context, caller, method, digest(token), second_factor=True)
            keep = self._settings.security_max_sessions
            await session_store.end_oldest_sessions(context.conn, caller.user_id, self.times, keep)
            found = await caller_store.find_caller(
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

    async def take_new_factor(
        self, context: Context, caller: Caller, event: str, what: str, entity_id: str, **data: Any
    ) -> None:
        """Let a factor that was set up, and tried, just now count as given in this session.

        That it was set up is all that is audited. A session that has ended meanwhile stays ended.
        """
        await session_store.prove(context.conn, caller.session_id, None, second_factor=True)
        await audit_change(context, event, caller.client, what, entity_id, **data)

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

    async def new_password(
        self, user_id: str, user_name: str, password: str, current: str | None = None
    ) -> str:
        """What to store for a new password of this user, if the user may take it.

        Raises:
            Invalid: it is too weak, or the same as the current one.
        """
        if password == current:
            raise PasswordRefused(Assessment([USED_BEFORE]))
        async with borrowed(self._runtime.pool) as connection:
            await self._new_passwords.check_new_password(connection, user_id, user_name, password)
        return await self.hash(password)

    async def remember_password(self, connection: Connection, user_id: str, stored: str) -> None:
        """Remember, in the transaction that stores it, that the user has taken a password.

        Whoever knew the last one knows no device any more.
        """
        await self._new_passwords.remember(connection, user_id, stored)
        await limits.forget_devices(connection, user_id)

    async def check_password(self, caller: Caller, password: str) -> None:
        """Refuse a password that is not the caller's. Failures lock this question for a while.

        Raises:
            AccountLocked: too many wrong ones.
            WrongFactor: it is wrong, or the user has none.
        """
        async with self.attempt(caller, "password"):
            async with borrowed(self._runtime.pool) as connection:
                stored = await store.password_of(connection, caller.user_id)
            if not await self._hashing.verify(password, stored):
                raise WrongFactor

    async def log_out(self, caller: Caller) -> None:
        """End the session of this request."""
        async with self._runtime.transaction(caller.actor()) as context:
            await session_store.end_session(context.conn, caller.session_id, caller.user_id)
            await audit(context, "logout", caller.client)
