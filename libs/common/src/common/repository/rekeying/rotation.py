"""A new key pair for the repository, and a new encryption key. The steps are in docs/format.md."""

from dataclasses import dataclass

from common.crypto.hpke import PrivateKey
from common.crypto.keys import KeyProvider
from common.repository.format.config import FormerKey
from common.repository.lock import exclusive
from common.repository.progress import OnProgress
from common.repository.rekeying.rewrapping import rewrap
from common.repository.rekeying.unlocked import Unlocked
from common.storage.local import LocalDirectory


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation came to; ``resumed``: it was begun before and went on."""

    generation: int
    rewrapped: int
    resumed: bool


def rotate(
    directory: LocalDirectory, provider: KeyProvider, *, on_progress: OnProgress | None = None
) -> Rotation:
    """Give the repository a new key pair and wrap every run key to it. Backups may run meanwhile.

    A rotation that was interrupted is brought to its end; it is not begun again.

    Raises:
        WrongKey: the provider's key is another's.
        Corrupt: a run key is damaged or missing. The former pair stays until it is mended, so
            that no copy of that key becomes worthless.
        Conflict: a prune, a deletion or another change of keys is going on.
    """
    with exclusive(directory.path):
        state = Unlocked.open(directory, provider)
        resumed = bool(state.config.former)
        if not resumed:
            _begin(state, provider)
            state = Unlocked.open(directory, provider)
        done = rewrap(state.session, state.keyring(), on_progress)
        state.succeed(former=())
        return Rotation(state.config.generation + 1, done, resumed)


def change_encryption_key(
    directory: LocalDirectory, provider: KeyProvider, new: KeyProvider
) -> None:
    """Seal the private parts of ``config`` by ``new``: one step, nothing else changes.

    Raises:
        WrongKey: the provider's key is another's.
        Conflict: a prune, a deletion or another change of keys is going on.
    """
    with exclusive(directory.path):
        state = Unlocked.open(directory, provider)
        former = tuple(_former(state, private, new) for private in state.former)
        sealed = state.config.sealed_by(new, state.private, state.writer_key)
        state.succeed(**sealed, former=former)


def _begin(state: Unlocked, provider: KeyProvider) -> None:
    """From now on runs wrap to the new pair; readers have both."""
    sealed = state.config.sealed_by(provider, PrivateKey.generate(), state.writer_key)
    former = FormerKey(state.config.public_key, state.config.private_key)
    state.succeed(**sealed, former=(former,))


def _former(state: Unlocked, private: PrivateKey, provider: KeyProvider) -> FormerKey:
    sealed = state.config.sealed_by(provider, private, state.writer_key)
    return FormerKey(sealed["public_key"], sealed["private_key"])
