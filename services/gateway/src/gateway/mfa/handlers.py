"""Setting up second factors, giving them, and taking them away."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.crypto.purposes import NotOpened
from common.db import borrowed, transaction
from common.errors import Conflict, NotFound, Unavailable
from common.service import Runtime
from gateway.identity import session_store
from gateway.identity.auditing import audit_change
from gateway.identity.change_store import check_holds, permissions_of_user, serialize
from gateway.identity.domain import Caller, WrongFactor
from gateway.identity.handlers import Identity, NewSession
from gateway.mfa import store
from gateway.mfa.domain import new_secret, step_of, uri_of
from gateway.mfa.sealing import Sealing
from gateway.recovery import handlers as recovery
from gateway.recovery.store import remove_with_last_factor


class AlreadySetUp(Conflict):
    """An authenticator is set up already: take it away first."""

    code = "totp_set_up"


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody gives as a factor: one of these."""

    password: str = ""
    code: str = ""
    recovery_code: str = ""


class Factors:
    """The second factors of users."""

    def __init__(self, runtime: Runtime[Any], identity: Identity, sealing: Sealing) -> None:
        self._runtime = runtime
        self._identity = identity
        self._sealing = sealing

    async def standing(self, caller: Caller) -> store.Standing:
        """Which second factors the caller has."""
        async with borrowed(self._runtime.pool) as connection:
            return await store.standing(connection, caller.user_id)

    async def enrol(self, caller: Caller) -> tuple[str, str]:
        """A new secret, and the same for a QR code; it counts when a code of it was given.

        Raises:
            Unavailable: there is no key to seal it under.
            AlreadySetUp: there is a confirmed one.
        """
        secret = new_secret()
        sealed, key_id = await self._sealing.seal(secret)
        async with transaction(self._runtime.pool) as connection:
            if not await store.begin(connection, caller.user_id, sealed, key_id):
                raise AlreadySetUp
        return secret, uri_of(secret, caller.name)

    async def confirm(self, caller: Caller, code: str) -> list[str]:
        """Let the authenticator count from now on. The answer is the user's recovery codes.

        Raises:
            NotFound: nothing was begun.
            AlreadySetUp: it was confirmed before.
            WrongFactor: the code is wrong.
        """
        async with borrowed(self._runtime.pool) as connection:
            found = await store.find(connection, caller.user_id)
        if found is None:
            raise NotFound("No authenticator is being set up.")
        if found.confirmed:
            raise AlreadySetUp
        await self._check_code(caller, code)
        async with self._runtime.transaction(caller.actor()) as context:
            codes = await recovery.make(context.conn, caller.user_id)
            await self._identity.take_new_factor(
                context, caller, "mfa_enabled", "user", caller.user_id, recovery_codes=len(codes)
            )
        return codes

    async def complete(self, caller: Caller, proof: Proof) -> NewSession:
        """The second factor of a login: the session is good from now on, under a new token.

        Raises:
            WrongFactor: it is wrong, or was used before.
        """
        method = await self._check_second(caller, proof)
        return await self._identity.complete(caller, method)

    async def step_up(self, caller: Caller, proof: Proof) -> None:
        """A factor given again: what needs a fresh one may be done for a while.

        Raises:
            WrongFactor: it is wrong, was used before, or is a password where there is more.
        """
        standing = await self.standing(caller)
        if proof.password and (standing.totp or standing.passkeys):
            raise WrongFactor("This account has a second factor: give that one.")
        if proof.password:
            await self._identity.check_password(caller, proof.password)
            method, second = "password", False
        else:
            method, second = await self._check_second(caller, proof), True
        await self._identity.refresh(caller, method, second_factor=second)

    async def new_codes(self, caller: Caller, proof: Proof | None) -> list[str]:
        """New recovery codes, for a second factor; the former ones are worth nothing."""
        await self._check_given(caller, proof)
        async with self._runtime.transaction(caller.actor()) as context:
            return await recovery.renew(context, caller)

    async def disable(self, caller: Caller, proof: Proof | None) -> None:
        """Take the caller's authenticator away, for a second factor.

        Recovery codes go with the last one.
        """
        await self._check_given(caller, proof)
        async with self._runtime.transaction(caller.actor()) as context:
            await store.remove_totp(context.conn, caller.user_id)
            await remove_with_last_factor(context.conn, caller.user_id)
            await audit_change(context, "mfa_disabled", caller.client, "user", caller.user_id)

    async def reset(self, caller: Caller, user_id: str) -> None:
        """Take every second factor of a user away who has lost them; the user's sessions end.

        Raises:
            CannotGrant: the user may do more than the caller.
            NotFound: there is no such user.
            Conflict: it is the caller's own.
        """
        if user_id == caller.user_id:
            raise Conflict("Take your own factors away at /api/auth/mfa/totp.")
        async with self._runtime.transaction(caller.actor()) as context:
            await serialize(context.conn)
            if not await store.is_user(context.conn, user_id):
                raise NotFound("There is no such user.")
            check_holds(caller, await permissions_of_user(context.conn, user_id))
            await store.remove_everything(context.conn, user_id)
            await session_store.end_sessions(context.conn, user_id)
            await audit_change(context, "mfa_reset", caller.client, "user", user_id)

    async def _check_given(self, caller: Caller, proof: Proof | None) -> None:
        """Refuse whoever gives no second factor now. Who has a passkey gave one for this session:
        nothing else makes it fresh.
        """
        if proof is not None:
            await self._check_second(caller, proof)
        elif not (await self.standing(caller)).passkeys:
            raise WrongFactor("Give a code of the authenticator, or a recovery code.")

    async def _check_second(self, caller: Caller, proof: Proof) -> str:
        if proof.recovery_code:
            await self._check_recovery_code(caller, proof.recovery_code)
            return "recovery_code"
        await self._check_code(caller, proof.code, confirmed=True)
        return "totp"

    async def _check_code(self, caller: Caller, code: str, *, confirmed: bool = False) -> None:
        async with borrowed(self._runtime.pool) as connection:
            found = await store.find(connection, caller.user_id)
        counts = found is not None and (found.confirmed or not confirmed)
        # Before it is counted: it is not the user's fault if a key is missing.
        secret = await self._opened(found) if found and counts else None
        async with self._identity.attempt(caller, "totp"):
            if found is None or secret is None:
                raise WrongFactor
            step = step_of(secret, code, datetime.now(UTC), found.last_step)
            if step is None:
                raise WrongFactor
            async with transaction(self._runtime.pool) as connection:
                if not await store.use_step(connection, caller.user_id, found, step):
                    raise WrongFactor

    async def _opened(self, found: store.Totp) -> str:
        try:
            return await self._sealing.open(found.secret)
        except NotOpened as error:
            raise Unavailable(
                "The authenticator cannot be checked: the key that its secret is under is missing.",
                remedy="Use a recovery code or a passkey, and tell an administrator.",
            ) from error

    async def _check_recovery_code(self, caller: Caller, code: str) -> None:
        async with self._identity.attempt(caller, "recovery code"):
            async with transaction(self._runtime.pool) as connection:
                taken = await recovery.use(connection, caller.user_id, code)
            if not taken:
                raise WrongFactor
