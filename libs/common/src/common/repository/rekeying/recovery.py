"""Recovery keys: further private keys, kept offline, that open every backup."""

from dataclasses import dataclass

from common.crypto.hpke import PublicKey
from common.crypto.keys import KeyProvider
from common.errors import Conflict, Invalid, NotFound
from common.repository.format.config import make_recovery
from common.repository.lock import exclusive
from common.repository.progress import OnProgress
from common.repository.rekeying.rewrapping import rewrap
from common.repository.rekeying.unlocked import Unlocked
from common.repository.session import Session
from common.storage.local import LocalDirectory

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class RecoveryState:
    """A recovery key, and how many of the run keys it opens: all, or adding it is not finished."""

    name: str
    recipient: str
    opens: int
    run_keys: int


def add_recovery(
    directory: LocalDirectory,
    provider: KeyProvider,
    name: str,
    public_key: PublicKey,
    *,
    on_progress: OnProgress | None = None,
) -> int:
    """Let the holder of this public key's private key open all backups, past and future.

    Repeatable: again with the same name and key it finishes what was interrupted. Says how many run
    keys were wrapped.

    Raises:
        Invalid: no recovery key can have that name.
        Conflict: the name is taken by another key, or the key has another name.
        Corrupt: some run keys are damaged or missing; the key opens all others.
    """
    _check(name)
    with exclusive(directory.path):
        state = Unlocked.open(directory, provider)
        config = state.config
        known = {each.name: each.public_key for each in config.recovery}
        if known.get(name, public_key) != public_key:
            raise _taken(name)
        if name not in known:
            for other, key in known.items():
                if key == public_key:
                    raise Conflict(
                        f"This key is there already, and called {other!r}.",
                        remedy="Make another key for another name: in a file that is not there.",
                    )
            new = make_recovery(name, public_key, state.writer_key, config.repository)
            state.succeed(recovery=(*config.recovery, new))
            state = Unlocked.open(directory, provider)
        return rewrap(state.session, state.keyring(), on_progress)


def require_free(directory: LocalDirectory, provider: KeyProvider, name: str) -> None:
    """Refuse what ``add_recovery`` would refuse a new key, before that is made.

    Raises:
        Invalid: no recovery key can have that name.
        Conflict: another one has it.
        WrongKey: the provider's key is another's.
    """
    _check(name)
    with exclusive(directory.path):
        if any(name == each.name for each in Unlocked.open(directory, provider).config.recovery):
            raise _taken(name)


def _check(name: str) -> None:
    if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
        raise Invalid(f"A recovery key has a printable name of 1 to {_LONGEST_NAME} characters.")


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is another recovery key called {name!r}.",
        remedy="Choose another name, or the file that holds this key.",
    )


def remove_recovery(
    directory: LocalDirectory,
    provider: KeyProvider,
    name: str,
    *,
    on_progress: OnProgress | None = None,
) -> int:
    """Stop wrapping run keys to a recovery key, and take them from it. Repeatable.

    It still opens copies of the repository that were made before.

    Raises:
        NotFound: there is no such recovery key, and nothing was left to do.
        Corrupt: some run keys are damaged or missing.
    """
    with exclusive(directory.path):
        state = Unlocked.open(directory, provider)
        left = tuple(each for each in state.config.recovery if each.name != name)
        known = len(left) != len(state.config.recovery)
        if known:
            state.succeed(recovery=left)
            state = Unlocked.open(directory, provider)
        done = rewrap(state.session, state.keyring(), on_progress)
        if not known and not done:
            raise NotFound(f"There is no recovery key called {name!r}.")
        return done


def recovery_keys(session: Session) -> list[RecoveryState]:
    """The recovery keys of a repository; the writer key is enough to see them."""
    wrapped = [key.wrapped.keys() for key in session.wrapped_keys()]
    return [
        RecoveryState(
            each.name,
            each.public_key.recipient.hex(),
            sum(each.public_key.recipient in recipients for recipients in wrapped),
            len(wrapped),
        )
        for each in session.config.recovery
    ]
