"""Changes of accounts: each one transaction, checked, and audited."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from common.db import borrowed
from common.errors import Conflict, Unauthorized
from common.messages import uuid7
from common.outbox import Context
from common.service import Runtime
from gateway.identity import caller_store, session_store
from gateway.identity import store as identities
from gateway.identity.auditing import audit, audit_change
from gateway.identity.change_store import (
    ADMINISTRATOR,
    check_administered,
    check_holds,
    end_access,
    permissions_of_user,
    serialize,
)
from gateway.identity.domain import Caller, name_key
from gateway.identity.handlers import Identity
from gateway.users import store
from gateway.users.store import Account, UserExists


class Accounts:
    """The users of this installation."""

    def __init__(self, runtime: Runtime[Any], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def create(
        self, caller: Caller, name: str, password: str, roles: list[str], *, must_change: bool
    ) -> Account:
        """Create a user.

        Raises:
            CannotGrant: the roles grant what the caller does not hold.
            UserExists: the name is taken.
            NotFound: there is no such role.
        """
        user_id, name = str(uuid7()), name.strip()
        stored = await self._identity.new_password(user_id, name, password)
        async with self._runtime.transaction(caller.actor()) as context:
            await serialize(context.conn)
            check_holds(caller, await store.granted_by(context.conn, roles))
            user = identities.User(user_id, name, stored)
            try:
                await identities.add_user(
                    context.conn, user, name_key(name), roles, must_change_password=must_change
                )
            except asyncpg.UniqueViolationError as error:
                raise UserExists from error
            await self._identity.remember_password(context.conn, user_id, stored)
            await audit_change(context, "user_created", caller.client, "user", user_id, roles=roles)
            return await store.find(context.conn, user_id)

    async def update(
        self, caller: Caller, user_id: str, name: str | None, roles: list[str] | None
    ) -> Account:
        """Change a user's name or roles.

        Raises:
            CannotGrant: the user has, or is given, what the caller does not hold.
            LastAdministrator: nobody would be left.
        """
        async with self._changing(caller, user_id) as (context, before):
            data: dict[str, Any] = {}
            if name is not None:
                await store.rename(context.conn, user_id, name.strip(), name_key(name))
                data["renamed"] = True
            if roles is not None:
                check_holds(caller, await store.granted_by(context.conn, roles))
                await store.set_roles(context.conn, user_id, roles)
                data |= {"roles_before": before.roles, "roles": sorted(set(roles))}
            await audit_change(context, "user_updated", caller.client, "user", user_id, **data)
            return await store.find(context.conn, user_id)

    async def disable(self, caller: Caller, user_id: str) -> Account:
        """Let a user in no more. Sessions and API keys end at once."""
        async with self._changing(caller, user_id) as (context, _):
            await store.set_disabled(context.conn, user_id, disabled=True)
            await end_access(context.conn, user_id)
            await audit_change(context, "user_disabled", caller.client, "user", user_id)
            return await store.find(context.conn, user_id)

    async def enable(self, caller: Caller, user_id: str) -> Account:
        """Let a user in again, with the password and the factors that there were."""
        async with self._changing(caller, user_id) as (context, _):
            await store.set_disabled(context.conn, user_id, disabled=False)
            await audit_change(context, "user_enabled", caller.client, "user", user_id)
            return await store.find(context.conn, user_id)

    async def delete(self, caller: Caller, user_id: str) -> None:
        """Remove a user; what the user did stays in the audit log."""
        async with self._changing(caller, user_id) as (context, before):
            await store.delete(context.conn, user_id)
            data = {"user_name": before.name, "roles": before.roles}
            await audit_change(context, "user_deleted", caller.client, "user", user_id, **data)

    async def reset_password(self, caller: Caller, user_id: str, password: str) -> None:
        """Give another user a password, which must be changed at the next login.

        Raises:
            Conflict: it is the caller's own: the current one would not be asked for.
        """
        if user_id == caller.user_id:
            raise Conflict("Change your own password at /api/auth/password.")
        async with borrowed(self._runtime.pool) as connection:
            name = (await store.find(connection, user_id)).name
            # Before the policy may say anything about former passwords of this user.
            check_holds(caller, await permissions_of_user(connection, user_id))
        stored = await self._identity.new_password(user_id, name, password)
        async with self._changing(caller, user_id) as (context, _):
            await store.set_password(context.conn, user_id, stored, must_change=True)
            await self._identity.remember_password(context.conn, user_id, stored)
            await session_store.end_sessions(context.conn, user_id)
            await audit_change(context, "password_reset", caller.client, "user", user_id)

    async def change_password(self, caller: Caller, current: str, new: str) -> None:
        """Change the caller's own password; every other session of the caller ends.

        Raises:
            WrongFactor: the current password is another one.
            Unauthorized: the session has ended meanwhile.
        """
        await self._identity.check_password(caller, current)
        stored = await self._identity.new_password(caller.user_id, caller.name, new, current)
        async with self._runtime.transaction(caller.actor()) as context:
            # A reset in between has ended this session, and its password is the one that counts.
            await serialize(context.conn)
            if not await caller_store.find_again(context.conn, caller, self._identity.times):
                raise Unauthorized
            await store.set_password(context.conn, caller.user_id, stored, must_change=False)
            await self._identity.remember_password(context.conn, caller.user_id, stored)
            await session_store.end_sessions(context.conn, caller.user_id, but=caller.session_id)
            await audit(
                context,
                "password_changed",
                caller.client,
                entity_type="user",
                entity_id=caller.user_id,
                risk_level="medium",
            )

    @asynccontextmanager
    async def _changing(
        self, caller: Caller, user_id: str
    ) -> AsyncIterator[tuple[Context, Account]]:
        """A transaction that changes a user who may do no more than the caller."""
        async with self._runtime.transaction(caller.actor()) as context:
            await serialize(context.conn)
            before = await store.find(context.conn, user_id)
            check_holds(caller, await permissions_of_user(context.conn, user_id))
            yield context, before
            if ADMINISTRATOR in before.roles:
                await check_administered(context.conn)
