"""Making passkeys, and giving them as a factor."""

import secrets
from typing import Any
from uuid import UUID

from common.db import Connection, borrowed, transaction
from common.messages import Actor, uuid7
from common.service import Runtime
from gateway.identity import challenge_store
from gateway.identity.auditing import audit, audit_change
from gateway.identity.domain import Caller, Client, WrongCredentials, WrongFactor
from gateway.identity.handlers import Identity, NewSession
from gateway.passkeys import store
from gateway.passkeys.ceremony import Ceremony, PasskeyRefused, credential_id_of
from gateway.passkeys.store import OnlyByProvider, Passkey
from gateway.recovery import handlers as recovery
from gateway.recovery.store import remove_with_last_factor

CHALLENGE = 32
REGISTRATION, LOGIN, PROOF = "passkey-registration", "passkey-login", "passkey-proof"

Begun = tuple[str, dict[str, Any]]


class Passkeys:
    """The passkeys of users."""

    def __init__(self, runtime: Runtime[Any], identity: Identity, ceremony: Ceremony) -> None:
        self._runtime = runtime
        self._identity = identity
        self._ceremony = ceremony

    async def begin_registration(self, caller: Caller) -> Begun:
        """What to ask of the caller's device, and the token under which to answer."""
        async with transaction(self._runtime.pool) as connection:
            known = await _known(connection, caller)
            token, challenge = await _begun(connection, REGISTRATION, caller)
        user_id = UUID(caller.user_id).bytes
        return token, self._ceremony.for_registration(user_id, caller.name, known, challenge)

    async def register(
        self, caller: Caller, token: str, name: str, credential: dict[str, Any]
    ) -> tuple[Passkey, list[str]]:
        """Keep the passkey that the device has made. It is a second factor from now on.

        With it come recovery codes, unless the caller has some left.

        Raises:
            PasskeyRefused: nothing was asked, or the answer does not hold.
            PasskeyExists: it is known.
        """
        challenge = await self._take(REGISTRATION, token, caller.session_id)
        made = self._ceremony.made(credential, challenge)
        async with self._runtime.transaction(caller.actor()) as context:
            passkey = await store.add(
                context.conn,
                str(uuid7()),
                caller.user_id,
                name,
                made.credential_id,
                made.credential_public_key,
                made.sign_count,
            )
            codes = await recovery.make_if_none(context.conn, caller.user_id)
            await self._identity.take_new_factor(
                context, caller, "passkey_added", "passkey", passkey.id, recovery_codes=len(codes)
            )
        return passkey, codes

    async def begin_login(self) -> Begun:
        """What to ask of anybody's device: it says by itself whose it is."""
        async with transaction(self._runtime.pool) as connection:
            token, challenge = await _begun(connection, LOGIN)
        return token, self._ceremony.for_use([], challenge)

    async def log_in(self, token: str, credential: dict[str, Any], client: Client) -> NewSession:
        """Begin a session by a passkey, which is two factors: the device, and who it knows.

        Raises:
            WrongCredentials: no passkey here has signed what was asked.
            OnlyByProvider: the user has to log in at the provider.
        """
        try:
            challenge = await self._take(LOGIN, token, None)
            passkey = await self._signed(credential, challenge)
            actor = Actor(user=passkey.user_id, address=client.address)
            async with self._runtime.transaction(actor) as context:
                await store.check_opens(context.conn, passkey.user_id)
                return await self._identity.begin(
                    context, passkey.user_id, client, "passkey", second_factor=True
                )
        except PasskeyRefused as error:
            await self._record_failure(client)
            raise WrongCredentials from error
        except OnlyByProvider:
            await self._record_failure(client)
            raise

    async def _record_failure(self, client: Client) -> None:
        self._identity.tally.note("failed_login_attempts")
        async with self._runtime.transaction(Actor(address=client.address)) as context:
            data = {"login_method": "passkey"}
            await audit(
                context, "login_attempt", client, success=False, risk_level="medium", data=data
            )

    async def begin_proof(self, caller: Caller) -> Begun:
        """What to ask of the caller's device, as a second or a fresh factor."""
        async with transaction(self._runtime.pool) as connection:
            known = await _known(connection, caller)
            if not known:
                raise WrongFactor("There is no passkey of this user.")
            token, challenge = await _begun(connection, PROOF, caller)
        return token, self._ceremony.for_use(known, challenge)

    async def prove(self, caller: Caller, token: str, credential: dict[str, Any]) -> NewSession:
        """A passkey as second or fresh factor; the session goes on under a new token.

        Raises:
            WrongFactor: no passkey of the caller has signed what was asked.
        """
        async with self._identity.attempt(caller, "passkey"):
            try:
                challenge = await self._take(PROOF, token, caller.session_id)
                await self._signed(credential, challenge, caller.user_id)
            except PasskeyRefused as error:
                raise WrongFactor from error
        return await self._identity.complete(caller, "passkey")

    async def remove(self, caller: Caller, passkey_id: str) -> None:
        """Forget one of the caller's passkeys; recovery codes go with the last factor.

        Raises:
            NotFound: there is none.
        """
        async with self._runtime.transaction(caller.actor()) as context:
            await store.delete(context.conn, caller.user_id, passkey_id)
            await remove_with_last_factor(context.conn, caller.user_id)
            await audit_change(context, "passkey_removed", caller.client, "passkey", passkey_id)

    async def _take(self, kind: str, token: str, session_id: str | None) -> bytes:
        async with transaction(self._runtime.pool) as connection:
            data = await challenge_store.take(connection, kind, token, session_id=session_id)
        if data is None:
            raise PasskeyRefused("Nothing was asked of this device, or too long ago.")
        return bytes.fromhex(data["challenge"])

    async def _signed(
        self, credential: dict[str, Any], challenge: bytes, user_id: str | None = None
    ) -> Passkey:
        async with borrowed(self._runtime.pool) as connection:
            passkey = await store.find(connection, credential_id_of(credential))
        if passkey is None or user_id not in (None, passkey.user_id):
            raise PasskeyRefused
        used = self._ceremony.used(credential, challenge, passkey)
        async with transaction(self._runtime.pool) as connection:
            if not await store.use(connection, passkey, used.new_sign_count):
                raise PasskeyRefused
        return passkey


async def _known(connection: Connection, caller: Caller) -> list[bytes]:
    return [each.credential_id for each in await store.of_user(connection, caller.user_id)]


async def _begun(
    connection: Connection, kind: str, caller: Caller | None = None
) -> tuple[str, bytes]:
    """The token to answer under, and the challenge: in the caller's session, or anybody's."""
    challenge = secrets.token_bytes(CHALLENGE)
    token = await challenge_store.begin(
        connection,
        kind,
        {"challenge": challenge.hex()},
        user_id=caller.user_id if caller else None,
        session_id=caller.session_id if caller else None,
    )
    return token, challenge
