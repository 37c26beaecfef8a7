"""Recovery keys: each opens all backups until it is removed, and nothing afterwards."""

import pytest

from common.crypto.hpke import PrivateKey
from common.crypto.keys import RECOVERY_PREFIX, KeyProvider, write_key
from common.errors import Conflict, NotFound, WrongKey
from common.repository.opening import open_reader
from common.repository.rekeying.recovery import add_recovery, recovery_keys, remove_recovery
from common.repository.rekeying.rotation import rotate
from common.storage.local import LocalDirectory
from mortal import Mortal, dies
from past import reader, restores
from vault import Vault


@pytest.mark.parametrize("lives", range(5))
def test_a_recovery_key_added_later_opens_the_past_whenever_it_was_interrupted(
    vault: Vault, provider: KeyProvider, ids: list[str], lives: int
) -> None:
    """Lost: what was backed up before anyone thought of a key in the safe."""
    safe = PrivateKey.generate()

    def add(directory: LocalDirectory) -> int:
        return add_recovery(directory, provider, "safe", safe.public)

    assert dies(lambda: add(Mortal(vault.path, lives))) == (lives < 4)
    assert restores(reader(vault, provider), ids)
    add(vault.directory)
    (state,) = recovery_keys(vault.session())
    assert (state.name, state.opens, state.run_keys) == ("safe", 3, 3)
    text = write_key(RECOVERY_PREFIX, safe.seed)
    assert restores(open_reader(vault.path, recovery_key=text), ids)
    rotate(vault.directory, provider)
    assert restores(open_reader(vault.path, recovery_key=text), ids)


def test_a_recovery_key_that_was_removed_opens_nothing_here(
    vault: Vault, provider: KeyProvider, ids: list[str]
) -> None:
    """Lost: the answer to a safe that was broken into."""
    safe, other = PrivateKey.generate(), PrivateKey.generate()
    add_recovery(vault.directory, provider, "safe", safe.public)
    with pytest.raises(Conflict):
        add_recovery(vault.directory, provider, "safe", other.public)
    assert dies(lambda: remove_recovery(Mortal(vault.path, 2), provider, "safe"))
    assert remove_recovery(vault.directory, provider, "safe") == 2
    with pytest.raises(WrongKey):
        open_reader(vault.path, recovery_key=write_key(RECOVERY_PREFIX, safe.seed))
    for wrapped in vault.session().wrapped_keys():
        assert safe.public.recipient not in wrapped.wrapped
    with pytest.raises(NotFound):
        remove_recovery(vault.directory, provider, "safe")
    assert restores(reader(vault, provider), ids)


def test_one_key_has_one_name(vault: Vault, provider: KeyProvider) -> None:
    """Lost: the answer to a stolen safe, whose key goes on opening all under its other name."""
    safe = PrivateKey.generate().public
    add_recovery(vault.directory, provider, "board", safe)
    with pytest.raises(Conflict, match="'board'"):
        add_recovery(vault.directory, provider, "board2", safe)
    assert [each.name for each in recovery_keys(vault.session())] == ["board"]
