"""Secrets of authenticators as they are stored."""

from collections.abc import Awaitable, Callable

from common.crypto.purposes import PurposeKeys
from common.errors import Unavailable

# No request can name this purpose: those are letters and digits.
PURPOSE = "gateway/totp"
_OPEN = "open:"


class Sealing:
    """Seals under SECURITY_ENCRYPTION_KEY, if there is one; what is sealed then needs it."""

    def __init__(self, keys: Callable[[], Awaitable[PurposeKeys]]) -> None:
        self._keys = keys

    async def seal(self, secret: str) -> str:
        """What to store."""
        try:
            return (await self._keys()).seal(PURPOSE, secret)
        except Unavailable:
            return _OPEN + secret

    async def open(self, stored: str) -> str:
        """The secret.

        Raises:
            Unavailable: the key is not configured any more.
            NotOpened: it is another one.
        """
        if stored.startswith(_OPEN):
            return stored.removeprefix(_OPEN)
        return (await self._keys()).open(PURPOSE, stored).text
