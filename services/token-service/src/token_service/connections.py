"""OAuth connections: a refresh token is opened in memory, when it is needed, and nowhere else."""

import asyncio
from uuid import UUID

from pydantic import SecretStr

from common.crypto.keychain import Keychain
from common.crypto.strength import listed
from common.db import Pool, transaction
from common.errors import Invalid, NotFound
from common.outbox import Context
from token_service import connection_store as store
from token_service.connection_store import OAuthConnection, SealedToken


def context_of(connection_id: UUID) -> str:
    """What a token is bound to: the column and the row that it stands in."""
    return f"oauth_connections.refresh_token_encrypted/{connection_id}"


async def open_keychain(pool: Pool, encryption_key: SecretStr) -> Keychain | None:
    """The keys of ENCRYPTION_KEY, with this installation's salt; None where it is not set."""
    texts = listed(encryption_key)
    if not texts:
        return None
    async with transaction(pool) as connection:
        salt = await store.salt(connection)
    return await asyncio.to_thread(Keychain, texts, salt)


class OAuthConnections:
    """Stores and reads connections. Every change is in the audit log, no token ever is."""

    def __init__(self, keychain: Keychain | None) -> None:
        self._keychain = keychain

    async def save(
        self, context: Context, found: OAuthConnection, refresh_token: SecretStr
    ) -> None:
        """Store a connection with its token, or another token for it."""
        keychain = self._required()
        sealed = keychain.seal(refresh_token.get_secret_value(), context_of(found.id))
        token = SealedToken(found.id, sealed, keychain.newest)
        await store.put(context.conn, found, token, context.actor.user or context.source)
        await self._audit(context, "connect", found.id, provider=found.provider)

    async def refresh_token(self, context: Context, connection_id: UUID) -> SecretStr:
        """The token of a connection, to be kept in memory alone.

        Raises:
            NotFound: there is no such connection.
            WrongKey: it was sealed under a key that ENCRYPTION_KEY does not hold.
        """
        keychain = self._required()
        token = await store.find_token(context.conn, connection_id)
        if token is None:
            raise NotFound("There is no such connection.")
        return SecretStr(keychain.open(token.sealed, context_of(connection_id)))

    async def remove(self, context: Context, connection_id: UUID) -> None:
        """Forget a connection and its token. Repeatable."""
        if await store.delete(context.conn, connection_id):
            await self._audit(context, "disconnect", connection_id)

    def _required(self) -> Keychain:
        if self._keychain is None:
            raise Invalid(
                "ENCRYPTION_KEY is not set: what tokens of other accounts are sealed under.",
                remedy="Make one with `strongroom keys generate`.",
            )
        return self._keychain

    async def _audit(self, context: Context, action: str, which: UUID, **data: str) -> None:
        await context.audit(
            action,
            event_type="oauth_connection",
            entity_type="oauth_connection",
            entity_id=str(which),
            risk_level="medium",
            data=data,
        )
