"""Repositories in memory: what is tested here is which calls are made, not how long they take."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.laboratory import Laboratory
from chaos.orderly import small_and_orderly
from chaos.settings import roomy
from chaos.world import plain_config
from vault import make_keys


@pytest.fixture(scope="session")
def config() -> bytes:
    """The config of every repository here; the same every day, so that a seed means the same."""
    with small_and_orderly():
        return plain_config(make_keys())


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is such a place with room for several tests at once."""
    place = tempfile.mkdtemp(dir=roomy())
    yield Path(place)
    shutil.rmtree(place)


@pytest.fixture
def laboratory(memory: Path, config: bytes) -> Iterator[Laboratory]:
    """Where chance and time are the same every time."""
    with small_and_orderly():
        yield Laboratory(memory, config)
