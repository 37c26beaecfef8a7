"""What token-service answers."""

import asyncio
import base64

from common.errors import Permanent
from common.messages import GetRepositoryConfig, RepositoryConfig, RepositoryCreated
from common.outbox import Context
from common.service import Runtime
from token_service import store
from token_service.domain import Keyring, Keys
from token_service.following import Following
from token_service.settings import TokenServiceSettings


class KeyringQuestions:
    """Answers ``keyring.config``: the same keys for everyone, made at the first call."""

    def __init__(self, keyring: Keyring, following: Following) -> None:
        self._keyring = keyring
        self._following = following

    async def config(self, context: Context, question: GetRepositoryConfig) -> RepositoryConfig:
        """The repository's ``config`` object; refused when the configured key does not open it.

        Nothing is then written that could not be read again.
        """
        del question
        keys = await self._following.keys(context)
        if keys is None:
            await store.lock_keys(context.conn)
            keys = await store.find_keys(context.conn) or await self._create(context)
        await asyncio.to_thread(self._keyring.check, keys)
        content = base64.b64encode(keys.config).decode()
        return RepositoryConfig(repository_id=keys.repository_id, config=content)

    async def _create(self, context: Context) -> Keys:
        keys = await asyncio.to_thread(self._keyring.create)
        await store.insert_keys(context.conn, keys, context.actor.user or context.source)
        await context.send(
            RepositoryCreated(repository_id=keys.repository_id), subject=keys.repository_id
        )
        await context.audit(
            "create",
            event_type="repository_created",
            entity_type="repository",
            entity_id=keys.repository_id,
            risk_level="medium",
            data={"encrypted": keys.encrypted, "generation": keys.generation},
        )
        return keys


class KeyringCheck:
    """Tells the readiness check whether the configured key can do its work."""

    def __init__(
        self, runtime: Runtime[TokenServiceSettings], keyring: Keyring, following: Following
    ) -> None:
        self._runtime = runtime
        self._keyring = keyring
        self._following = following

    async def __call__(self) -> str | None:
        """A sentence when the stored keys, or any new ones, could not be opened."""
        try:
            async with self._runtime.transaction() as context:
                keys = await self._following.keys(context)
            await asyncio.to_thread(self._keyring.check, keys)
        except Permanent as error:
            return str(error)
        return None
