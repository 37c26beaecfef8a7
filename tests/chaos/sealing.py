"""Encryption keys that cost nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.crypto.aead import KEY_SIZE, seal, unseal
from common.repository.session import read_config
from common.storage.local import LocalDirectory


@dataclass(frozen=True, slots=True)
class PlainProvider:
    """Seals under a key that need not be stretched: a state is opened in a millisecond."""

    key: bytes = bytes(KEY_SIZE)

    def describe(self) -> dict[str, Any]:
        """Which key it is."""
        return {"provider": "test", "key": self.key.hex()}

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """As any provider."""
        return seal(self.key, secret, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """As any provider."""
        return unseal(self.key, sealed, context)


PROVIDER = PlainProvider()
OTHER = PlainProvider(bytes(range(KEY_SIZE)))


def provider_at(path: Path) -> PlainProvider:
    """What opens the repository in this folder now."""
    return PlainProvider(bytes.fromhex(read_config(LocalDirectory(path)).sealing["key"]))
