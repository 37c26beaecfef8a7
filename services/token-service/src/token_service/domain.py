"""Makes the repository's keys, and tells whether the configured key opens them. Slow, no I/O."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from common.crypto.keys import PassphraseProvider, reveal
from common.errors import Conflict, Corrupt, Permanent, WrongKey
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

    def follow(self, keys: Keys | None, found: bytes) -> Keys:
        """The keys that count, where the repository itself has ``found`` as its ``config``.

        A newer generation was made by somebody who rotated keys, and is believed if the configured
        key opens it: nobody else could have made it.

        Raises:
            Corrupt: it is older than ``keys``, or was changed.
            Conflict: it is another repository's.
            WrongKey: the configured key does not open it.
        """
        config = RepositoryConfig.parse(found)
        if keys is not None:
            _require_successor(keys, config, found)
            if found == keys.config:
                return keys
        newer = Keys(config.repository.hex(), config.generation, config.encrypted, found)
        self.check(newer)
        return newer

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


def _require_successor(keys: Keys, config: RepositoryConfig, found: bytes) -> None:
    if config.repository.hex() != keys.repository_id:
        raise Conflict(
            f"The repository here is {config.repository.hex()}, not {keys.repository_id}.",
            remedy="Correct BACKUP_LOCAL_DIR, or give this installation a database of its own.",
        )
    older = config.generation < keys.generation
    if older or (config.generation == keys.generation and found != keys.config):
        raise Corrupt(
            f"The repository's config is of generation {config.generation}, and one of generation"
            f" {keys.generation} was there before: {'an older' if older else 'another'} one was put"
            " in its place.",
            remedy="Fetch the file config from another copy of the repository.",
        )
