"""The keys of ``encrypt`` and ``decrypt``, made when they are first needed."""

import asyncio

from pydantic import SecretStr

from common.crypto.purposes import PurposeKeys
from common.crypto.strength import listed
from common.errors import Unavailable


class SecretKeys:
    """Keys from SECURITY_ENCRYPTION_KEY and SECURITY_KEY_SALT; stretching them takes a while."""

    def __init__(self, key: SecretStr, salt: SecretStr) -> None:
        self._keys = listed(key)
        self._salt = salt.get_secret_value()
        self._made: PurposeKeys | None = None
        self._making = asyncio.Lock()

    async def keys(self) -> PurposeKeys:
        """The keys.

        Raises:
            Unavailable: they are not configured.
        """
        if not self._keys or not self._salt:
            raise Unavailable(
                "Failed to initialize encryption.",
                remedy="Check SECURITY_ENCRYPTION_KEY and SECURITY_KEY_SALT.",
            )
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(PurposeKeys, self._keys, self._salt)
        return self._made
