"""What is asked of the kernel."""

import ctypes
import errno
import os
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from common.components.files import linux

MEMORY = Path("/dev/shm")
CACHESTAT = 451

in_memory = pytest.mark.skipif(
    not MEMORY.is_dir() or MEMORY.stat().st_dev == Path("/").stat().st_dev,
    reason="no file system in memory",
)


@in_memory
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


def test_the_disk_begins_with_what_was_written(tmp_path: Path) -> None:
    """Lost: the time in which it could write while the rest is fetched and expanded."""
    size = 4 << 20
    with (tmp_path / "file").open("wb", buffering=0) as file:
        file.write(bytes(size))
        before = _dirty_pages(file.fileno(), size // 2)
        linux.begin_writing(file.fileno(), 0, size // 2)
        after = _dirty_pages(file.fileno(), size // 2)
    if not before:
        pytest.skip("no disk that is written later, or it has begun by itself")
    assert after == 0


def _dirty_pages(file: int, size: int) -> int:
    """Of so many bytes of an open file those that nobody has begun to write, as ``cachestat``
    says.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    part, counts = (ctypes.c_uint64 * 2)(0, size), (ctypes.c_uint64 * 5)()
    if libc.syscall(CACHESTAT, file, part, counts, 0) != 0:
        assert ctypes.get_errno() in {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
        pytest.skip("this kernel does not tell")
    return counts[1]
