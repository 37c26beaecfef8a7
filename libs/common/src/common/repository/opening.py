"""Making and opening repositories."""

import os
from pathlib import Path

from cryptography.hazmat.backends import default_backend

from common.crypto.hpke import PrivateKey
from common.crypto.keys import (
    NOT_ENCRYPTED,
    RECOVERY_PREFIX,
    WHICH_KEY,
    WRITER_PREFIX,
    PassphraseProvider,
    Secret,
    derive_writer_key,
    read_key,
    reveal,
    write_key,
)
from common.errors import Conflict, NotFound, WrongKey
from common.repository.format.config import RepositoryConfig
from common.repository.format.names import CONFIG
from common.repository.lock import exclusive
from common.repository.objects import ObjectSource
from common.repository.reader import Reader
from common.repository.repository import Repository
from common.repository.session import Session, read_config
from common.storage.local import LocalDirectory

default_backend()  # loaded here, beside the stretching of the key, and not for the key it opens


def create(path: Path, config: bytes) -> None:
    """Make a repository in a folder by the bytes of its ``config``. Repeatable.

    Raises:
        Conflict: the folder holds another repository, or anything else, or somebody changes it.
        Corrupt: these are not the bytes of a config.
    """
    wanted = RepositoryConfig.parse(config)
    directory = LocalDirectory(path)
    directory.prepare()
    with exclusive(path):  # of two who find nothing here, the second looks when the first has ended
        try:
            found = read_config(directory)
        except NotFound:
            if next(iter(directory.list()), None) is not None:
                raise Conflict(
                    f"{path} is not empty, and holds no config.",
                    remedy="Name an empty folder. If it is a repository, fetch config from another"
                    " copy of it: strongroom repo repair packs.",
                ) from None
            directory.write(CONFIG, config, owner=f"create-{os.getpid()}")
            return
    if found.repository != wanted.repository:
        raise Conflict(f"{path} holds another repository already.", remedy="Choose another folder.")


def open_writer(place: Path | ObjectSource, writer_key: Secret) -> Repository:
    """Open a repository with the writer key in its text form.

    None or nothing opens a repository without encryption.

    Raises:
        NotFound: there is no repository.
        WrongKey: the key is another's.
        Corrupt: ``config`` is damaged or was changed.
    """
    source, config = _find(place)
    text = _text(writer_key)
    if text:
        key = read_key(WRITER_PREFIX, text)
    elif config.encrypted:
        raise WrongKey(
            "This repository is encrypted and no writer key is given.",
            remedy="Set BACKUP_WRITER_KEY to what `strongroom keys writer` prints.",
        )
    else:
        key = derive_writer_key(None)
    return Repository(Session.open(source, config, key))


def open_reader(
    place: Path | ObjectSource,
    encryption_key: Secret = None,
    *,
    recovery_key: Secret = None,
) -> Reader:
    """Open a repository with the encryption key, or with a recovery key in its text form.

    Without any it opens a repository without encryption. The place may be a folder or any
    ``ObjectSource``; only a folder can be changed.

    Raises:
        NotFound: there is no repository.
        WrongKey: the key is another's.
        Corrupt: ``config`` is damaged or was changed.
    """
    source, config = _find(place)
    recovery = _text(recovery_key)
    if recovery:
        private = PrivateKey(read_key(RECOVERY_PREFIX, recovery))
        return Reader(Session.open(source, config, config.open_recovery(private)), private)
    text = _text(encryption_key)
    if not text and config.encrypted:
        raise WrongKey(
            "This repository is encrypted and no key is given.",
            remedy=WHICH_KEY,
        )
    provider = PassphraseProvider.found(text if config.encrypted else None, config.sealing)
    private, writer_key = config.open_private(provider)

    def renew() -> tuple[PrivateKey, ...]:
        now = read_config(source)
        return (now.open_private(provider)[0], *now.open_former(provider))

    former = config.open_former(provider)
    return Reader(Session.open(source, config, writer_key), private, former=former, renew=renew)


def stored_writer_key(place: Path, encryption_key: Secret) -> str:
    """The writer key in its text form, from the repository itself.

    It is derived from the encryption key that the repository was made with, and stays the same
    when that is changed. Errors as of ``open_reader``.
    """
    return write_key(WRITER_PREFIX, open_reader(place, encryption_key).session.keys.writer_key)


def _find(place: Path | ObjectSource) -> tuple[ObjectSource, RepositoryConfig]:
    source: ObjectSource = LocalDirectory(place) if isinstance(place, Path) else place
    try:
        config = read_config(source)
    except NotFound as error:
        raise NotFound(
            f"There is no repository at {place}." if isinstance(place, Path) else None,
            remedy="Make one with `strongroom repo init`, or correct the place.",
        ) from error
    return source, config


def _text(secret: Secret) -> str:
    if not secret:
        return ""
    text = reveal(secret)
    return "" if text == NOT_ENCRYPTED else text
