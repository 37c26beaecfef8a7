"""Secrets of authenticators as they are stored: always under SECURITY_ENCRYPTION_KEY."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import structlog

from common.crypto.purposes import NotOpened, PurposeKeys
from common.db import Connection
from common.errors import Unavailable
from common.service.resealing import Batch
from gateway.mfa import store
from gateway.mfa.store import Sealed

# No request can name this purpose: those are letters and digits.
PURPOSE = "gateway/totp"
# Earlier versions stored secrets so where there was no key.
_OPEN = "open:"

log = structlog.stdlib.get_logger(__name__)


class Sealing:
    """Seals and opens them, and seals them anew after a change of the key."""

    def __init__(self, keys: Callable[[], Awaitable[PurposeKeys]]) -> None:
        self._keys = keys

    async def seal(self, secret: str) -> tuple[str, str]:
        """What to store, and the id of the key that it is under.

        Raises:
            Unavailable: no key is configured.
        """
        keys = await self._keys()
        return keys.seal(PURPOSE, secret), keys.ids[0]

    async def open(self, stored: str) -> str:
        """The secret.

        Raises:
            Unavailable: the key is not configured any more.
            NotOpened: it is another one.
        """
        if stored.startswith(_OPEN):
            return stored.removeprefix(_OPEN)
        return (await self._keys()).open(PURPOSE, stored).text

    async def key_ids(self) -> Sequence[str]:
        try:
            return (await self._keys()).ids
        except Unavailable:
            return []

    async def count(self, connection: Connection) -> Mapping[str, int]:
        return await store.count_by_key(connection)

    async def reseal(self, connection: Connection, after: UUID, limit: int) -> Batch | None:
        taken = await store.take_outdated(connection, (await self._keys()).ids[0], after, limit)
        if not taken:
            return None
        anew = [each for each in [await self._anew(one) for one in taken] if each]
        await store.replace(connection, anew)
        return Batch(taken[-1].user_id, len(anew), len(taken) - len(anew))

    async def _anew(self, one: Sealed) -> Sealed | None:
        try:
            return Sealed(one.user_id, *await self.seal(await self.open(one.secret)))
        except NotOpened:
            log.warning("the secret of an authenticator does not open", user_id=str(one.user_id))
            return None
