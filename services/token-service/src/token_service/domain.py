"""Makes the repository's keys, and tells whether the configured key opens them. Slow, no I/O."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from common.crypto.keys import PassphraseProvider, reveal
from common.errors import Permanent, WrongKey
from common.repository.format.config import RepositoryConfig


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the repository, as they are stored."""

    repository_id: str
    generation: int
    encrypted: bool
    config: bytes = field(repr=False)


class Keyring:
    """What is done with the configured encryption key; None means without encryption.

    Stretching the key takes about a second, on purpose: run these calls in a thread.
    """

    def __init__(self, encryption_key: SecretStr | None) -> None:
        self._key = encryption_key
        self._judged: tuple[Keys, Permanent | None] | None = None

    def create(self) -> Keys:
        """The keys of a new repository.

        Raises:
            Invalid: the encryption key is empty.
        """
        content = RepositoryConfig.create(self._key)
        config = RepositoryConfig.parse(content)
        return Keys(config.repository.hex(), config.generation, config.encrypted, content)

    def check(self, keys: Keys | None) -> None:
        """Make sure that the configured key opens ``keys``, or could make them; remembers both.

        Raises:
            WrongKey: it does not open them.
            Invalid: it is empty.
            Corrupt: they were changed.
        """
        reveal(self._key)
        if keys is None:
            return
        if self._judged is None or self._judged[0] != keys:
            self._judged = keys, self._judge(keys)
        if self._judged[1] is not None:
            raise self._judged[1]

    def _judge(self, keys: Keys) -> Permanent | None:
        if keys.encrypted != (self._key is not None):
            return WrongKey(
                f"The repository was made {'with' if keys.encrypted else 'without'} encryption.",
                remedy=f"Set BACKUP_ENCRYPTION_ENABLED={str(keys.encrypted).lower()}.",
            )
        try:
            config = RepositoryConfig.parse(keys.config)
            config.open_private(PassphraseProvider.found(self._key, config.sealing))
        except Permanent as error:
            return error
        return None
