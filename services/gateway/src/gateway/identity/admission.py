"""Finding out who is asking, and whether they may."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import structlog

from common.crypto.tokens import digest
from common.db import borrowed, is_transient, transaction
from common.errors import Forbidden, Unauthorized
from common.service import Runtime
from gateway.identity import session_store, store
from gateway.identity.admitting import Access, CsrfFailed, StepUpRequired, check_admitted
from gateway.identity.domain import Caller, Client, Permission
from gateway.identity.refusals import Refusals
from gateway.settings import IdentitySettings

KEY_PREFIX = "sgk_"
NOTED_EVERY = 60.0
MOST_NOTED = 10_000

log = structlog.stdlib.get_logger(__name__)


class Uses:
    """Who used which permission when, written down now and then and not with every request."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], datetime] = {}

    def note(self, caller: Caller, needed: Permission) -> None:
        """Remember a use; beyond a great many some are forgotten, which only makes lists older."""
        if len(self._seen) < MOST_NOTED:
            self._seen[caller.user_id, needed.value] = datetime.now(UTC)

    def take(self) -> list[tuple[str, str, datetime]]:
        """What was noted since the last time."""
        seen, self._seen = self._seen, {}
        return [(*key, at) for key, at in sorted(seen.items())]


class Admission:
    """Knows callers by their tokens and keys, and holds them to what a route asks for."""

    def __init__(self, runtime: Runtime[Any], settings: IdentitySettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._refusals = Refusals(runtime)
        self._uses = Uses()
        self._lockout = timedelta(minutes=settings.security_lockout_duration)
        self.times = session_store.Times(
            idle=timedelta(minutes=settings.security_session_timeout),
            life=timedelta(minutes=settings.security_session_lifetime),
            fresh=timedelta(minutes=settings.security_step_up_minutes),
        )

    async def admit(self, token: str, access: Access, client: Client) -> Caller:
        """Who is asking, if the route admits them.

        Raises:
            Unauthorized: no live session or key has this token.
            Forbidden: the permission is missing, or the session or key is not enough.
        """
        caller = await self._find(token, client) if token else None
        if caller is None:
            await self._refusals.record("authentication_failed", client)
            raise Unauthorized
        try:
            check_admitted(access, caller)
        except Forbidden as refused:
            await self._refusals.record("permission_denied", client, caller, reason=refused.code)
            raise
        if access.permission is not None:
            await self.require(caller, access.permission)
        if access.fresh:
            await self.require_fresh(caller)
        return caller

    async def refuse_forged(self, client: Client) -> NoReturn:
        """Refuse a request that another site may have made a browser send.

        Raises:
            CsrfFailed: always.
        """
        await self._refusals.record("permission_denied", client, reason=CsrfFailed.code)
        raise CsrfFailed

    async def _find(self, token: str, client: Client) -> Caller | None:
        async with borrowed(self._runtime.pool) as connection:
            if token.startswith(KEY_PREFIX):
                return await session_store.find_key_caller(connection, digest(token), client)
            return await session_store.find_caller(connection, digest(token), self.times, client)

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
        self._uses.note(caller, needed)

    async def require_fresh(self, caller: Caller) -> None:
        """Refuse a caller who has not given a factor lately.

        Raises:
            StepUpRequired: saying how to go on.
        """
        if not caller.fresh:
            refused = StepUpRequired(key=bool(caller.key_id))
            await self._refusals.record(
                "permission_denied", caller.client, caller, reason=refused.code
            )
            raise refused

    async def still_here(self, caller: Caller) -> bool:
        """Whether the caller's session is known to live, for answers that go on for long."""
        try:
            async with borrowed(self._runtime.pool) as connection:
                return await session_store.still_lives(connection, caller, self.times)
        except Exception as error:
            if is_transient(error):
                return False
            raise

    async def keep_house(self, every: float = 600.0, noted: float = NOTED_EVERY) -> None:
        """Remove now and then what no longer counts, and write down uses of permissions."""
        cleaned = time.monotonic()
        while True:
            await asyncio.sleep(min(every, noted))
            due = time.monotonic() - cleaned >= every
            try:
                await self._keep_house(clean=due)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("the database is away, cleaning later")
            if due:
                cleaned = time.monotonic()

    async def _keep_house(self, *, clean: bool) -> None:
        async with transaction(self._runtime.pool) as connection:
            await session_store.note_uses(connection, self._uses.take())
            if clean:
                await session_store.purge_sessions(connection, self.times)
                await store.purge(connection, self._lockout)
