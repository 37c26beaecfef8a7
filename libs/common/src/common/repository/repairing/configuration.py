"""Fetching ``config`` from another copy: without it, or with an old one, nothing opens here."""

from contextlib import suppress
from pathlib import Path

from common.crypto.keys import Secret
from common.errors import Corrupt, NotFound
from common.repository.format.config import RepositoryConfig
from common.repository.format.names import CONFIG
from common.repository.objects import ObjectSource
from common.repository.opening import open_reader
from common.repository.repairing.fetching import REPLACED
from common.repository.session import read_config
from common.repository.streaming import pieces, write_verified
from common.storage.local import LocalDirectory


def repair_config(place: Path, other: ObjectSource, encryption_key: Secret) -> bool:
    """Put the other copy's ``config`` in the place of a damaged, missing or older one; whether it
    did.

    Raises:
        NotFound: the other copy has none, or there is no repository here.
        WrongKey: the key does not open it: it may be another repository's.
    """
    directory = LocalDirectory(place)
    try:
        own = read_config(directory)
    except Corrupt:
        pass
    except NotFound:
        if next(iter(directory.list()), None) is None:
            raise
    else:
        if not _is_newer(other, own):
            return False
    open_reader(other, encryption_key)  # authenticates it
    write_verified(directory, CONFIG, pieces(other, CONFIG), owner="repair", aside=REPLACED)
    return True


def _is_newer(other: ObjectSource, own: RepositoryConfig) -> bool:
    with suppress(Corrupt, NotFound):
        theirs = read_config(other)
        return theirs.repository == own.repository and theirs.generation > own.generation
    return False
