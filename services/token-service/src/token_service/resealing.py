"""After a change of ENCRYPTION_KEY: every token is sealed anew under the newest key.

Each batch is a transaction of its own, which also counts it: whoever is killed loses one batch at
most, and whoever comes next goes on. Any number of replicas may do it at once.
"""

import asyncio
from uuid import UUID

import structlog

from common.crypto.keychain import Keychain
from common.db import transaction
from common.errors import Permanent
from common.service import Runtime
from token_service import connection_store as store
from token_service.connection_store import Progress, SealedToken
from token_service.connections import context_of
from token_service.settings import TokenServiceSettings

BATCH = 100
# A replica that still has the former list may write under a former key meanwhile.
AGAIN_SECONDS = 600.0
_FIRST = UUID(int=0)

log = structlog.stdlib.get_logger(__name__)


class Resealing:
    """Keeps every token under the newest key."""

    def __init__(self, runtime: Runtime[TokenServiceSettings], keychain: Keychain) -> None:
        self._runtime = runtime
        self._keychain = keychain

    async def run(self) -> None:
        """Seal what has to be sealed anew, and look again from time to time, until cancelled."""
        while True:
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001 - the next turn goes on where this one ended
                log.info("sealing anew waits", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def once(self) -> Progress:
        """Seal everything that opens and is not under the newest key."""
        newest = self._keychain.newest
        after: UUID | None = _FIRST
        while after is not None:
            after = await self._batch(newest, after)
        progress = await self.progress()
        if not progress.waiting:
            await self._finish(progress)
        return progress

    async def progress(self) -> Progress:
        """How far it has come."""
        async with transaction(self._runtime.pool) as connection:
            return await store.progress(connection, self._keychain.newest)

    async def warning(self) -> str | None:
        """A sentence when there are tokens that none of the keys opens."""
        async with transaction(self._runtime.pool) as connection:
            outside = await store.count_outside(connection, self._keychain.ids)
        if not outside:
            return None
        return (
            f"{outside} OAuth connections are sealed under keys that are not in ENCRYPTION_KEY."
            " Put the former key behind the newest, after a comma, or connect them again."
        )

    async def _batch(self, newest: str, after: UUID) -> UUID | None:
        async with self._runtime.transaction() as context:
            taken = await store.take_outdated(context.conn, newest, after, BATCH)
            if not taken:
                return None
            if await store.begin(context.conn, newest):
                log.info("sealing anew", key=newest)
            anew = [token for token in map(self._anew, taken) if token is not None]
            await store.replace(context.conn, anew)
            await store.advance(context.conn, newest, len(anew))
        log.info("sealed anew", key=newest, tokens=len(anew), unreadable=len(taken) - len(anew))
        return taken[-1].id

    def _anew(self, token: SealedToken) -> SealedToken | None:
        place = context_of(token.id)
        try:
            sealed = self._keychain.seal(self._keychain.open(token.sealed, place), place)
        except Permanent as error:
            log.warning("a token does not open", connection=str(token.id), reason=error.code)
            return None
        return SealedToken(token.id, sealed, self._keychain.newest)

    async def _finish(self, progress: Progress) -> None:
        async with self._runtime.transaction() as context:
            if not await store.finish(context.conn, progress.key_id):
                return
            await context.audit(
                "rotate",
                event_type="encryption_key_rotated",
                entity_type="key",
                entity_id=progress.key_id,
                risk_level="high",
                data={"resealed": progress.resealed},
            )
