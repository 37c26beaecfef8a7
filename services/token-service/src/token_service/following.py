"""The repository's own ``config``, where it can be read: who rotates its keys changes it there."""

import asyncio
from pathlib import Path

import structlog

from common.errors import NotFound, Unavailable
from common.outbox import Context
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import CONFIG
from common.storage.local import LocalDirectory
from token_service import store
from token_service.domain import Keyring, Keys

log = structlog.stdlib.get_logger(__name__)


class Following:
    """Keeps the stored keys in step with the repository in a folder."""

    def __init__(self, keyring: Keyring, folder: Path) -> None:
        self._keyring = keyring
        self._folder = LocalDirectory(folder)

    async def keys(self, context: Context) -> Keys | None:
        """The keys as they are now, a newer generation from the repository stored and audited.

        None before there are any, here or there.

        Raises:
            Permanent: the repository has a config that cannot be believed.
        """
        keys = await store.find_keys(context.conn)
        found = await asyncio.to_thread(self._read)
        if found is None or (keys is not None and keys.config == found):
            return keys
        await store.lock_keys(context.conn)
        keys = await store.find_keys(context.conn)
        newer = await asyncio.to_thread(self._keyring.follow, keys, found)
        if newer != keys:
            await self._store(context, keys, newer)
        return newer

    def _read(self) -> bytes | None:
        try:
            return self._folder.read(CONFIG, 0, MAX_SIZE + 1)
        except (NotFound, Unavailable):
            return None  # not made yet, or its disk is not given to this service

    async def _store(self, context: Context, former: Keys | None, newer: Keys) -> None:
        by = context.actor.user or context.source
        if former is None:
            await store.insert_keys(context.conn, newer, by)
        else:
            await store.replace_keys(context.conn, newer, by)
        log.info("repository keys followed", generation=newer.generation)
        await context.audit(
            "follow",
            event_type="repository_keys_followed",
            entity_type="repository",
            entity_id=newer.repository_id,
            risk_level="high",
            data={
                "generation": newer.generation,
                "former_generation": former.generation if former else None,
            },
        )
