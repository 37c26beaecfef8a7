"""An old ``config`` that is put back while a run begins: nothing is written for keys given up."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from common.crypto.keys import PassphraseProvider
from common.errors import Corrupt
from common.repository.rekeying.rotation import rotate
from common.repository.repository import Repository
from common.repository.session import Session
from vault import KEY, Vault


@contextmanager
def put_back(vault: Vault, old: bytes) -> Iterator[None]:
    """Once a run has found that no snapshot is newer than ``config``, this is."""
    refuse = Session.refuse_old_config

    def then(session: Session) -> None:
        refuse(session)
        vault.directory.write("config", old, owner="storage")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "refuse_old_config", then)
        yield


@pytest.mark.parametrize("opened", ["before", "after"])
def test_an_old_config_that_is_put_back_as_a_run_begins_is_refused(
    vault: Vault, opened: str
) -> None:
    """Lost: the secrecy of a backup, to whoever has the storage and the key that was given up."""
    old, early = vault.directory.read("config"), vault.writer()
    rotate(vault.directory, PassphraseProvider.found(KEY, vault.session().config.sealing))
    vault.backup({b"a": b"sealed for the new pair"})
    before = vault.names("keys/")
    writer: Repository = early if opened == "before" else vault.writer()
    with put_back(vault, old), pytest.raises(Corrupt, match="put back"):
        writer.begin(uuid4())
    assert vault.names("keys/") == before
