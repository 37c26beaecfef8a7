"""Changing the encryption key of one machine's Strongroom, while it is stopped.

The new key stands in a file of its own before anything is sealed under it, and the former one is
kept until the second copy can no longer need it. Whoever is killed in between calls it again, or
just starts Strongroom: ``settle`` finds the key that opens the repository.
"""

from dataclasses import dataclass
from pathlib import Path

from common.crypto.keys import PassphraseProvider, generate_encryption_key
from common.errors import Conflict, NotFound, Unavailable, WrongKey
from common.repository.format.config import RepositoryConfig
from common.repository.progress import OnProgress
from common.repository.rekeying.rotation import change_encryption_key, rotate
from common.repository.rekeying.unlocked import opens, provider_of
from common.repository.session import read_config
from common.storage.local import LocalDirectory
from standalone.product.datadir import DataDirectory

KEY = "backup_encryption_key"
LISTS = ("encryption_key", "security_encryption_key")
"""Each holds the newest key and all former ones: what is sealed under those still opens."""
NEXT, FORMER = f"{KEY}.next", f"{KEY}.former"


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of keys came to. ``waiting``: the second copy still needs the former key."""

    generation: int
    rewrapped: int
    resumed: bool
    waiting: bool


def change(directory: DataDirectory, on_progress: OnProgress | None = None) -> Change:
    """A new encryption key and a new key pair. The caller holds the data directory.

    Raises:
        NotFound: there is no repository yet, or its key is not kept here.
        Conflict: the second copy has not followed the last change.
        WrongKey: the stored key does not open the repository.
    """
    repository = LocalDirectory(directory.repository)
    current = directory.secret(KEY)
    resumed = directory.has_secret(NEXT)
    if not resumed:
        _require_ready(directory)
        _renew_lists(directory)
        directory.write_secret(NEXT, generate_encryption_key())
    new = directory.secret(NEXT)
    if current != new and opens(repository, current):
        made_at = directory.secret_made_at(KEY)
        directory.write_secret(FORMER, current.get_secret_value(), made_at=made_at)
        provider = PassphraseProvider(new)
        change_encryption_key(repository, provider_of(repository, current), provider)
    settle(directory)
    done = rotate(repository, provider_of(repository, new), on_progress=on_progress)
    directory.forget_secret(NEXT)
    return Change(done.generation, done.rewrapped, resumed, waiting=not forget_former(directory))


def settle(directory: DataDirectory) -> None:
    """After a change that was cut off: put the key that opens the repository into its place.

    Raises:
        WrongKey: neither the stored key nor the new one opens it.
    """
    if not directory.has_secret(NEXT):
        return
    repository = LocalDirectory(directory.repository)
    current, new = directory.secret(KEY), directory.secret(NEXT)
    if current == new or opens(repository, current):
        return
    if not opens(repository, new):
        raise WrongKey(
            f"Neither the key in secrets/{KEY} nor the one in secrets/{NEXT} opens the repository.",
            remedy=f"Put the key that does into secrets/{KEY}, and remove the other file.",
        )
    directory.write_secret(KEY, new.get_secret_value())


def forget_former(directory: DataDirectory) -> bool:
    """Remove the former key, unless the second copy still needs it; whether none is left."""
    if _copy_needs_former(directory):
        return False
    directory.forget_secret(FORMER)
    return True


def require_followed(directory: DataDirectory) -> None:
    """Refuse as long as the second copy needs the former key.

    Raises:
        Conflict: it has not followed the last change.
    """
    if _copy_needs_former(directory):
        raise Conflict(
            "The second copy still needs the key before this one.",
            remedy="Start Strongroom and make a backup, so that it follows; then try again. Where"
            " STRONGROOM_DESTINATIONS has the copies go elsewhere by now,"
            f" remove {directory.second_copy}.",
        )


def _copy_needs_former(directory: DataDirectory) -> bool:
    copy, config = directory.second_copy / "config", directory.repository / "config"
    return (
        directory.has_secret(FORMER) and copy.exists() and copy.read_bytes() != config.read_bytes()
    )


def _renew_lists(directory: DataDirectory) -> None:
    for name in LISTS:
        if directory.has_secret(name):
            former = directory.secret(name).get_secret_value()
            directory.write_secret(name, f"{generate_encryption_key()},{former}")


def _require_ready(directory: DataDirectory) -> None:
    if config_of(directory.repository) is None:
        raise NotFound(f"There is no repository in {directory.path} yet.", remedy="Make a backup.")
    if not directory.has_secret(KEY):
        raise NotFound(
            f"The encryption key is not kept in {directory.path}.",
            remedy="Change it where it is kept: strongroom keys change.",
        )
    require_followed(directory)
    forget_former(directory)


def config_of(path: Path) -> RepositoryConfig | None:
    """The config of the repository in this folder, if there is one."""
    try:
        return read_config(LocalDirectory(path))
    except (NotFound, Unavailable):
        return None
