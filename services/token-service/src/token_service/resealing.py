"""After a change of ENCRYPTION_KEY: the tokens that are sealed under it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

import structlog

from common.crypto.keychain import Keychain
from common.db import Connection
from common.errors import Permanent
from common.messages import GetSealing, SealingStanding
from common.outbox import Context
from common.service.resealing import Batch, Resealing
from token_service import connection_store as store
from token_service.connection_store import SealedToken
from token_service.connections import context_of

log = structlog.stdlib.get_logger(__name__)


class Tokens:
    """The refresh tokens of OAuth connections."""

    def __init__(self, keychain: Keychain) -> None:
        self._keychain = keychain

    async def key_ids(self) -> Sequence[str]:
        return self._keychain.ids

    async def count(self, connection: Connection) -> Mapping[str, int]:
        return await store.count_by_key(connection)

    async def reseal(self, connection: Connection, after: UUID, limit: int) -> Batch | None:
        taken = await store.take_outdated(connection, self._keychain.newest, after, limit)
        if not taken:
            return None
        anew = [token for token in map(self._anew, taken) if token is not None]
        await store.replace(connection, anew)
        return Batch(taken[-1].id, len(anew), len(taken) - len(anew))

    def _anew(self, token: SealedToken) -> SealedToken | None:
        place = context_of(token.id)
        try:
            sealed = self._keychain.seal(self._keychain.open(token.sealed, place), place)
        except Permanent as error:
            log.warning("a token does not open", connection=str(token.id), reason=error.code)
            return None
        return SealedToken(token.id, sealed, self._keychain.newest)


class SealingQuestions:
    """Tells what is sealed under which key. Without a key nothing can be."""

    def __init__(self, resealing: Resealing | None, keys: int) -> None:
        self._resealing = resealing
        self._keys = keys

    async def standing(self, context: Context, question: GetSealing) -> SealingStanding:
        """How many tokens there are, and how many not under the newest key."""
        del context, question
        if self._resealing is None:
            return SealingStanding()
        progress = await self._resealing.progress()
        return SealingStanding(former_keys=self._keys - 1, **asdict(progress))
