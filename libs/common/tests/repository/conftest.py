"""One set of keys for all tests of the repository, and a repository for each."""

import os
import random
from pathlib import Path

import pytest

from common.crypto.keys import KeyProvider, PassphraseProvider
from common.repository.format.config import RepositoryConfig
from common.repository.writing import packing, storing
from past import FILES, FIRST, SECOND, Two
from vault import KEY, Keys, Vault, make_keys


@pytest.fixture(scope="session")
def keys() -> Keys:
    """A config with small chunks, its private key and its writer key.

    The same ones for ever: by them it is decided where content is cut, and so how many packs and
    steps there are.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", random.Random(1).randbytes)
        return make_keys()


@pytest.fixture
def vault(tmp_path: Path, keys: Keys) -> Vault:
    """An empty repository."""
    return Vault(tmp_path / "repository", *keys)


@pytest.fixture(scope="session")
def provider(keys: Keys) -> KeyProvider:
    """The encryption key of ``vault``."""
    return PassphraseProvider.found(KEY, RepositoryConfig.parse(keys[0]).sealing)


@pytest.fixture
def ids(vault: Vault) -> list[str]:
    """A backup of each of ``past.FILES``."""
    return [vault.backup(files).id for files in FILES]


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of 64 KiB with bundles of 20 kB, so that little content fills several."""
    monkeypatch.setattr(packing, "PACK_SIZE", 65_536)
    monkeypatch.setattr(storing, "BUNDLE_SIZE", 20_000)


@pytest.fixture
def two(vault: Vault, small_packs: None) -> Two:
    """Two backups in one chain that share a file, in several packs."""
    return vault.backup(FIRST, "first"), vault.backup(SECOND, "second")
