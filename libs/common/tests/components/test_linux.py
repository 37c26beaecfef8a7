"""What is asked of the kernel."""

import os
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from common.components.files import linux

MEMORY = Path("/dev/shm")


pytestmark = pytest.mark.skipif(
    not MEMORY.is_dir() or MEMORY.stat().st_dev == Path("/").stat().st_dev,
    reason="no file system in memory",
)


@pytest.mark.parametrize("memory", [True, False])
def test_room_is_reserved_unless_memory_is_the_disk(
    monkeypatch: pytest.MonkeyPatch, *, memory: bool
) -> None:
    """Lost: the early word that a disk has no room, or a tenth of the time of a restore."""
    if not memory:
        monkeypatch.setattr(linux, "_TMPFS", -1)
    with TemporaryFile(dir=MEMORY) as file:
        linux.fallocate(file.fileno(), 0, 1 << 20)
        assert os.fstat(file.fileno()).st_blocks * 512 == (0 if memory else 1 << 20)
