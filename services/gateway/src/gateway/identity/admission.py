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
from gateway.identity import caller_store, session_store
from gateway.identity.admitting import Access, CsrfFailed, StepUpRequired, check_admitted
from gateway.identity.domain import Caller, Client, Permission, Refusal, Times
from gateway.identity.refusals import Refusals
from gateway.limits import store as limits
from gateway.limits.domain import RateLimited, Verdict
from gateway.limits.limiter import Counted, Limiter
from gateway.limits.lockout import DEVICE_LIFE, Lockout
from gateway.limits.tally import Tally
from gateway.settings import IdentitySettings

KEY_PREFIX = "sgk_"
NOTED_EVERY = 5.0
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
        self.tally = Tally(runtime.pool, runtime.name)
        self.lockout = Lockout(settings)
        self._limiter = Limiter(runtime.pool, settings, self.tally)
        self.times = Times(
            idle=timedelta(minutes=settings.security_session_timeout),
            life=timedelta(minutes=settings.security_session_lifetime),
            fresh=timedelta(minutes=settings.security_step_up_minutes),
        )

    async def count(self, client: Client, counted: Counted) -> None:
        """Count a request that nobody has to be known for.

        Raises:
            RateLimited: there were too many from this address.
        """
        verdict = await self._limiter.count_address(client.address, counted.kind)
        await self._enforce(verdict, client, counted)

    async def _enforce(
        self, verdict: Verdict, client: Client, counted: Counted, caller: Caller | None = None
    ) -> None:
        try:
            counted.enforce(verdict)
        except RateLimited:
            await self._refusals.record("rate_limited", client, caller, kind=counted.kind.value)
            raise

    async def admit(
        self, token: str, access: Access, client: Client, counted: Counted | None = None
    ) -> Caller:
        """Who is asking, if the route admits them. Every request counts, as its user's or, where
        that is not known, as its address's.

        Raises:
            RateLimited: there were too many.
            Unauthorized: no live session or key has this token.
            Forbidden: the permission is missing, or the session or key is not enough.
        """
        counted = counted or Counted()
        caller = await self._find(token, client, counted) if token else None
        if caller is None:
            await self.count(client, counted)
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

    async def report(self, refusal: Refusal, caller: Caller, **data: str) -> None:
        """Record in the audit log what a caller has sent, in words of our own."""
        await self._refusals.record(refusal, caller.client, caller, **data)

    async def refuse_forged(self, client: Client) -> NoReturn:
        """Refuse a request that another site may have made a browser send.

        Raises:
            CsrfFailed: always.
        """
        await self._refusals.record("permission_denied", client, reason=CsrfFailed.code)
        raise CsrfFailed

    async def _find(self, token: str, client: Client, counted: Counted) -> Caller | None:
        hashed, kind = digest(token), counted.kind
        key = f"{kind} {hashed.hex()}"
        if known := self._limiter.refuse_known(key):
            await self._enforce(known, client, counted)
        async with borrowed(self._runtime.pool) as connection:
            if token.startswith(KEY_PREFIX):
                caller = await caller_store.find_key_caller(connection, hashed, client, kind)
            else:
                caller = await caller_store.find_caller(
                    connection, hashed, self.times, client, kind
                )
        if caller and caller.asked:
            verdict = self._limiter.judge(key, caller.asked, kind, caller.factor)
            await self._enforce(verdict, client, counted, caller)
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

    async def still_admits(self, caller: Caller, access: Access) -> bool:
        """Whether a route would admit the caller now as well, for answers that go on for long."""
        try:
            async with borrowed(self._runtime.pool) as connection:
                now = await caller_store.find_again(connection, caller, self.times)
            if now is None:
                return False
            check_admitted(access, now)
        except Forbidden:
            return False
        except Exception as error:
            if is_transient(error):
                return False
            raise
        return access.permission is None or now.may(access.permission)

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
                await limits.purge(connection, self.lockout.duration, DEVICE_LIFE)
