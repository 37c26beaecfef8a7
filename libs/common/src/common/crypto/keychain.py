"""Small secrets for a database, sealed under the newest of several keys and opened under any."""

from collections.abc import Sequence

from common.crypto.aead import seal, unseal
from common.crypto.kdf import derive
from common.crypto.stretching import ITERATIONS, stretch
from common.errors import Corrupt, Invalid, WrongKey

SALT_SIZE = 32
_VERSION = b"\x01"
_ID_SIZE = 8
_HEADER_SIZE = len(_VERSION) + _ID_SIZE


class Keychain:
    """AES-256-GCM under keys that are stretched from texts, the newest first.

    What is sealed names its key by an id that tells nothing of it, and is bound to a context: moved
    to another row or column it does not open. Making one is slow, on purpose: do it in a thread.
    """

    def __init__(self, texts: Sequence[str], salt: bytes, iterations: int = ITERATIONS) -> None:
        if not texts:
            raise Invalid("There is no key to seal under.")
        stretched = [stretch(text.encode(), salt, iterations) for text in texts]
        self._keys = {
            derive(key, "strongroom/v1/sealed/id", size=_ID_SIZE): derive(
                key, "strongroom/v1/sealed/aes-256-gcm"
            )
            for key in stretched
        }
        self._newest = next(iter(self._keys))

    @property
    def newest(self) -> str:
        """The id of the key that is sealed under."""
        return self._newest.hex()

    @property
    def ids(self) -> list[str]:
        """The ids of all keys, newest first."""
        return [key_id.hex() for key_id in self._keys]

    def seal(self, secret: str, context: str) -> bytes:
        """``secret``, sealed under the newest key and bound to ``context``."""
        header = _VERSION + self._newest
        return header + seal(self._keys[self._newest], secret.encode(), header + context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """What was sealed.

        Raises:
            WrongKey: it was sealed under a key that is not here.
            Corrupt: it is damaged, or was sealed in another context.
        """
        header = sealed[:_HEADER_SIZE]
        if len(header) < _HEADER_SIZE or not header.startswith(_VERSION):
            raise Corrupt("A sealed secret is not one.")
        key = self._keys.get(header[len(_VERSION) :])
        if key is None:
            raise WrongKey(
                f"A secret was sealed under the key {key_id(sealed)}, which is not here."
            )
        return unseal(key, sealed[_HEADER_SIZE:], header + context.encode()).decode()


def key_id(sealed: bytes) -> str:
    """The id of the key that this was sealed under."""
    return sealed[len(_VERSION) : _HEADER_SIZE].hex()
