"""Logging in by a provider."""

from dataclasses import asdict
from typing import Any

from common.crypto.tokens import new_token
from common.db import transaction
from common.errors import Conflict, Error
from common.messages import Actor, uuid7
from common.outbox import Context
from common.service import Runtime
from gateway.identity import challenge_store
from gateway.identity.auditing import audit, audit_change
from gateway.identity.change_store import check_administered, serialize
from gateway.identity.domain import Caller, Client, name_key
from gateway.identity.handlers import Identity, NewSession
from gateway.oidc import linking, store
from gateway.oidc.domain import (
    Begun,
    Names,
    NoRole,
    OidcOff,
    OidcRefused,
    Person,
    person_of,
    roles_of,
)
from gateway.oidc.provider import Provider
from gateway.settings import OidcSettings

LOGIN, LINK = "oidc", "oidc-link"
CALLBACK = "/api/auth/oidc/callback"


class Oidc:
    """The provider that is configured, if there is one."""

    def __init__(
        self, runtime: Runtime[Any], identity: Identity, settings: OidcSettings, public_url: str
    ) -> None:
        self._runtime = runtime
        self._identity = identity
        self._settings = settings
        self._names = Names(settings.gateway_oidc_name_claim, settings.gateway_oidc_groups_claim)
        self._provider = (
            Provider(
                settings.gateway_oidc_issuer,
                settings.gateway_oidc_client_id,
                settings.gateway_oidc_client_secret,
                public_url.rstrip("/") + CALLBACK,
            )
            if settings.gateway_oidc_issuer
            else None
        )

    def _configured(self) -> Provider:
        if self._provider is None:
            raise OidcOff
        return self._provider

    @property
    def issuer(self) -> str:
        """The provider.

        Raises:
            OidcOff: none is configured.
        """
        return self._configured().issuer

    async def begin(self, caller: Caller | None = None) -> tuple[str, str]:
        """Where the browser logs in, and a token to find in it when it comes back.

        With a caller it is no login: who comes back is linked to the caller.

        Raises:
            OidcOff: no provider is configured.
            ProviderAway: the provider cannot be asked.
        """
        provider, browser = self._configured(), new_token()
        begun = Begun.new(browser)
        async with transaction(self._runtime.pool) as connection:
            state = await challenge_store.begin(
                connection,
                LINK if caller else LOGIN,
                asdict(begun),
                user_id=caller.user_id if caller else None,
                session_id=caller.session_id if caller else None,
            )
        scopes = self._settings.gateway_oidc_scopes
        return await provider.address(begun, state, scopes), browser

    async def finish(
        self, code: str, state: str, browser: str, client: Client
    ) -> NewSession | None:
        """Begin a session for whoever the provider says it is; the first time creates the user.

        None: it was no login, and whoever began it is linked now.

        Raises:
            OidcRefused: the answer is not to a question of this browser, or does not hold.
            NoRole: none of the person's groups has a role here.
            NameTaken: the name is that of somebody else.
            PersonTaken, AlreadyKnown: they cannot be linked.
            WrongCredentials: the user is disabled.
        """
        provider = self._configured()
        try:
            begun, user_id = await self._take(state, browser)
            claims = await provider.claims(code, begun)
            person = person_of(claims, provider.issuer, provider.client_id, begun, self._names)
            if user_id is None:
                return await self._begin(person, client)
            await self._link(person, user_id, client)
        except (OidcRefused, NoRole, Conflict) as error:
            await self._record(error, client)
            raise
        return None

    async def _take(self, state: str, browser: str) -> tuple[Begun, str | None]:
        """What was begun, and by whom if it is no login."""
        user_id: str | None = None
        async with transaction(self._runtime.pool) as connection:
            data = await challenge_store.take(connection, LOGIN, state)
            if data is None:
                user_id, data = await challenge_store.take_begun(connection, LINK, state)
        if data is None:
            raise OidcRefused
        begun = Begun(**data)
        if not begun.is_of(browser):
            raise OidcRefused
        return begun, user_id

    async def _link(self, person: Person, user_id: str, client: Client) -> None:
        actor = Actor(user=user_id, address=client.address)
        async with self._runtime.transaction(actor) as context:
            await linking.link(context, client, user_id, person.issuer, person.subject)

    async def _begin(self, person: Person, client: Client) -> NewSession:
        trusted = self._settings.gateway_oidc_trusts_mfa and person.second_factor
        async with self._runtime.transaction(Actor(address=client.address)) as context:
            await serialize(context.conn)
            known = await store.find(context.conn, person.issuer, person.subject)
            user_id = known.user_id if known else str(uuid7())
            if known is None or not known.linked:
                await self._follow(context, person, user_id, client, known=known is not None)
            return await self._identity.begin(
                context, user_id, client, "oidc", second_factor=trusted
            )

    async def _follow(
        self, context: Context, person: Person, user_id: str, client: Client, *, known: bool
    ) -> None:
        """Give the user the roles of the person's groups; who is new is made a user."""
        roles = roles_of(person, self._settings.gateway_oidc_group_roles)
        if not known:
            await store.add(context.conn, user_id, person, name_key(person.name))
        if await store.set_roles(context.conn, user_id, roles):
            await check_administered(context.conn)
            event = "user_updated" if known else "user_created"
            await audit_change(context, event, client, "user", user_id, roles=roles, by="oidc")

    async def _record(self, error: Error, client: Client) -> None:
        self._identity.tally.note("failed_login_attempts")
        async with self._runtime.transaction(Actor(address=client.address)) as context:
            data = {"login_method": "oidc", "reason": error.code}
            await audit(
                context, "login_attempt", client, success=False, risk_level="medium", data=data
            )
