"""One set of keys for all tests of the repository, and a repository for each."""

import os
import random
from pathlib import Path

import pytest

from vault import Keys, Vault, make_keys


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
