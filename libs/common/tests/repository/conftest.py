"""One set of keys for all tests of the repository, and a repository for each."""

from pathlib import Path

import pytest

from vault import Keys, Vault, make_keys


@pytest.fixture(scope="session")
def keys() -> Keys:
    """A config with small chunks, its private key and its writer key."""
    return make_keys()


@pytest.fixture
def vault(tmp_path: Path, keys: Keys) -> Vault:
    """An empty repository."""
    return Vault(tmp_path / "repository", *keys)
