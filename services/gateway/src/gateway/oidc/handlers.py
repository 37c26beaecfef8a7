"""Logging in by a provider."""

from dataclasses import asdict
from typing import Any

from common.crypto.tokens import new_token
from common.db import transaction
from common.errors import Error
from common.messages import Actor, uuid7
from common.outbox import Context
from common.service import Runtime
from gateway.identity import challenge_store
from gateway.identity.change_store import check_administered, serialize
from gateway.identity.domain import Client, name_key
from gateway.identity.handlers import Identity, NewSession
from gateway.identity.refusals import audit
from gateway.oidc import store
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

KIND = "oidc"
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

    async def begin(self) -> tuple[str, str]:
        """Where the browser logs in, and a token to find in it when it comes back.

        Raises:
            OidcOff: no provider is configured.
            ProviderAway: the provider cannot be asked.
        """
        provider, browser = self._configured(), new_token()
        begun = Begun.new(browser)
        async with transaction(self._runtime.pool) as connection:
            state = await challenge_store.begin(connection, KIND, asdict(begun))
        scopes = self._settings.gateway_oidc_scopes
        return await provider.address(begun, state, scopes), browser

    async def finish(self, code: str, state: str, browser: str, client: Client) -> NewSession:
        """Begin a session for whoever the provider says it is; the first time creates the user.

        Raises:
            OidcRefused: the answer is not to a question of this browser, or does not hold.
            NoRole: none of the person's groups has a role here.
            NameTaken: the name is that of somebody else.
            WrongCredentials: the user is disabled.
        """
        provider = self._configured()
        try:
            begun = await self._take(state, browser)
            claims = await provider.claims(code, begun)
            person = person_of(claims, provider.issuer, provider.client_id, begun, self._names)
            return await self._begin(person, client)
        except (OidcRefused, NoRole, store.NameTaken) as error:
            await self._record(error, client)
            raise

    async def _take(self, state: str, browser: str) -> Begun:
        async with transaction(self._runtime.pool) as connection:
            data = await challenge_store.take(connection, KIND, state)
        if data is None:
            raise OidcRefused
        begun = Begun(**data)
        if not begun.is_of(browser):
            raise OidcRefused
        return begun

    async def _begin(self, person: Person, client: Client) -> NewSession:
        roles = roles_of(person, self._settings.gateway_oidc_group_roles)
        trusted = self._settings.gateway_oidc_trusts_mfa and person.second_factor
        async with self._runtime.transaction(Actor(address=client.address)) as context:
            await serialize(context.conn)
            user_id = await self._user(context, person, roles, client)
            return await self._identity.begin(
                context, user_id, client, "oidc", second_factor=trusted
            )

    async def _user(
        self, context: Context, person: Person, roles: list[str], client: Client
    ) -> str:
        user_id = await store.find(context.conn, person)
        known = user_id is not None
        if user_id is None:
            user_id = str(uuid7())
            await store.add(context.conn, user_id, person, name_key(person.name))
        if await store.set_roles(context.conn, user_id, roles):
            await check_administered(context.conn)
            await audit(
                context,
                "user_updated" if known else "user_created",
                client,
                entity_type="user",
                entity_id=user_id,
                risk_level="high",
                data={"roles": roles, "by": "oidc"},
            )
        return user_id

    async def _record(self, error: Error, client: Client) -> None:
        async with self._runtime.transaction(Actor(address=client.address)) as context:
            data = {"login_method": "oidc", "reason": error.code}
            await audit(
                context, "login_attempt", client, success=False, risk_level="medium", data=data
            )
