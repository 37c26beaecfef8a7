"""``config``, opened by who may change it."""

from dataclasses import dataclass, field
from typing import Any, Self

from common.crypto.hpke import PrivateKey
from common.crypto.keys import WHICH_KEY, KeyProvider, PassphraseProvider, Secret
from common.errors import Invalid, WrongKey
from common.repository.format.config import RepositoryConfig
from common.repository.format.names import CONFIG
from common.repository.format.writerkeys import WriterKeys
from common.repository.lock import linking
from common.repository.reading.keyring import KeyRing
from common.repository.session import Session, read_config
from common.storage.local import LocalDirectory

_OWNER = "config"


def provider_of(directory: LocalDirectory, encryption_key: Secret) -> KeyProvider:
    """What opens the private parts of the repository in this folder.

    Raises:
        NotFound: there is no repository.
        WrongKey: it is encrypted and no key is given.
        Invalid: it is not encrypted: whatever its keys are, everyone has them.
    """
    config = read_config(directory)
    if not config.encrypted:
        raise Invalid(
            "This repository is not encrypted: its keys are no secret.",
            remedy="Make an encrypted one and copy the backups into it: strongroom repo copy.",
        )
    if not encryption_key:
        raise WrongKey(
            "This repository is encrypted and no key is given.",
            remedy=WHICH_KEY,
        )
    return PassphraseProvider.found(encryption_key, config.sealing)


def opens(directory: LocalDirectory, encryption_key: Secret) -> bool:
    """Whether this key opens the repository, and will after a loss of power; slow, on purpose."""
    config = read_config(directory)
    try:
        config.open_private(PassphraseProvider.found(encryption_key, config.sealing))
    except WrongKey:
        return False
    directory.settle("")  # who changed the key may have died before that was durable
    return True


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The config of a repository and the secrets in it. Its holder has the repository's lock."""

    directory: LocalDirectory
    config: RepositoryConfig
    private: PrivateKey
    former: tuple[PrivateKey, ...] = field(repr=False)
    writer_key: bytes = field(repr=False)

    @classmethod
    def open(cls, directory: LocalDirectory, provider: KeyProvider) -> Self:
        """Read it.

        Raises:
            WrongKey: the provider's key is another's.
            Corrupt: it is damaged or was changed.
        """
        config = read_config(directory)
        private, writer_key = config.open_private(provider)
        directory.settle("")  # a key pair that a power cut could take is no base for anything
        return cls(directory, config, private, config.open_former(provider), writer_key)

    @property
    def session(self) -> Session:
        """The repository, with the rights of the writer key."""
        keys = WriterKeys(self.writer_key, self.config.repository)
        return Session(self.directory, self.config, keys)

    def keyring(self) -> KeyRing:
        """What opens run keys."""
        return KeyRing(self.session, (self.private, *self.former))

    def succeed(self, **changes: Any) -> None:
        """Put a changed config in the place of this one, in one step.

        Raises:
            Conflict: snapshots are being written all the time.
        """
        config = self.config.next_generation(**changes)
        self.directory.discard(_OWNER)
        with linking(self.directory.path):  # whoever has that lock has it on the former file
            self.directory.write(CONFIG, config.pack(self.writer_key), owner=_OWNER)
