"""Fetching ``config`` from another copy: without it, with an old or a forged one, nothing opens."""

from pathlib import Path

from common.crypto.keys import Secret
from common.errors import Corrupt, Invalid, NotFound, WrongKey
from common.repository.format.config import RepositoryConfig
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import CONFIG
from common.repository.lock import exclusive, replacing_config
from common.repository.objects import ObjectSource
from common.repository.opening import open_reader
from common.repository.reading.streaming import write_verified
from common.repository.repairing.fetching import REPLACED
from common.repository.session import read_config
from common.storage.local import LocalDirectory


def repair_config(place: Path, other: ObjectSource, encryption_key: Secret) -> bool:
    """Put the other copy's ``config`` in the place of a damaged, missing, forged or older one;
    whether it did.

    Raises:
        NotFound: the other copy has none, or there is no repository here.
        WrongKey: the key does not open it: it may be another repository's.
        Conflict: a prune, a deletion or a change of keys is going on here, or snapshots are being
            written all the time.
    """
    directory = LocalDirectory(place)
    own = _own(directory)
    looks_good = own is not None and not _is_newer(other, own)
    if looks_good and _opens(place, encryption_key):
        return False
    try:
        keys = open_reader(other, encryption_key).session.keys
    except (Corrupt, NotFound, WrongKey):
        if looks_good:
            return False  # nobody can tell; why it does not open is told by whoever opens it
        raise
    data = other.read(CONFIG, 0, MAX_SIZE + 1)
    theirs = RepositoryConfig.parse(data)
    theirs.authenticate(keys.writer_key)
    with exclusive(place), replacing_config(place):
        if not _gives_way(_own(directory), theirs, keys.writer_key):
            return False
        write_verified(directory, CONFIG, [data], owner="repair", aside=REPLACED)
    return True


def _own(directory: LocalDirectory) -> RepositoryConfig | None:
    """What is there; None where it is damaged, or all but it is there."""
    try:
        return read_config(directory)
    except Corrupt:
        return None
    except NotFound:
        if next(iter(directory.list()), None) is None:
            raise
        return None


def _is_newer(other: ObjectSource, own: RepositoryConfig) -> bool:
    try:
        return _precedes(own, read_config(other))
    except (Corrupt, NotFound):
        return False


def _precedes(own: RepositoryConfig, theirs: RepositoryConfig) -> bool:
    return theirs.repository == own.repository and theirs.generation > own.generation


def _opens(place: Path, encryption_key: Secret) -> bool:
    try:
        open_reader(place, encryption_key)
    except (Corrupt, Invalid, WrongKey):
        return False
    return True


def _gives_way(own: RepositoryConfig | None, theirs: RepositoryConfig, writer_key: bytes) -> bool:
    """Whether ``config`` as it is now is worse than the other one, which is authentic."""
    if own is None or _precedes(own, theirs):
        return True
    try:
        own.authenticate(writer_key)
    except (Corrupt, WrongKey):
        return own.repository == theirs.repository
    return False  # it opens by another key: that was changed since the copy
