"""A restore ends in the middle of a large file, not by itself, and is repeated."""

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from common.components.component import Target
from common.components.files import FilesComponent, linux
from common.components.files.restoring import arriving, placing, writing
from common.components.files.restoring.leftovers import PREFIX, part_mark
from common.errors import NoSpace, RestoreFailed, Unavailable
from common.repository.reading import batching
from common.repository.reading.batching import StoredBatch
from vault import Vault, noise

SIZE = 12 * 2**20
WRITTEN = 4
"""So many pieces are on the disk when it ends."""


def fails(number: int) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def interrupted() -> None:
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)  # until this process goes with its parent


def unavailable() -> NoReturn:
    raise Unavailable


ENDS = {
    "full": (fails(errno.ENOSPC), NoSpace),
    "quota": (fails(errno.EDQUOT), NoSpace),
    "lost": (fails(errno.ESTALE), RestoreFailed),
    "interrupted": (interrupted, KeyboardInterrupt),
    "source": (unavailable, Unavailable),
}


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def backup(vault: Vault, *names: bytes) -> Any:
    """Of large files."""
    contents = {name: noise(SIZE, seed) for seed, name in enumerate(names)}
    return vault.reader().snapshot(vault.backup(contents).id)


def restore(backup: Any, target: Path) -> None:
    FilesComponent.of("files", []).restore(backup.source("files"), Target(directory=target))


def ended(
    backup: Any, target: Path, monkeypatch: pytest.MonkeyPatch, end: str = "full"
) -> tuple[int, str]:
    """Restore until that; how many bytes were written, and what is told."""
    act, error = ENDS[end]
    lengths, write = target.with_name("lengths"), writing._write

    def few(file: int, piece: bytes, offset: int) -> None:
        if lengths.exists() and lengths.read_text().count("\n") == WRITTEN:
            act()
        with lengths.open("a") as notes:
            notes.write(f"{len(piece)}\n")
        write(file, piece, offset)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_write", few)
        with pytest.raises(error) as raised:
            restore(backup, target)
    told = " ".join(getattr(raised.value, "__notes__", ()))
    return sum(map(int, lengths.read_text().split())), told


def arrivals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that come from the repository."""
    counts = list[int]()
    monkeypatch.setattr(StoredBatch, "arrived", lambda _, count: counts.append(count))
    return counts


@pytest.mark.parametrize("end", ENDS)
def test_it_goes_on_where_it_was(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Lost: the hours that it had taken, because somebody pressed Ctrl-C or the disk was full."""
    saved, target = backup(vault, b"film"), tmp_path / "target"
    written, told = ended(saved, target, monkeypatch, end)
    assert "again" in told
    assert f"find {target} -name '.strongroom-restore-*'" in told
    (left,) = target.iterdir()
    assert os.fsencode(left.name).startswith(PREFIX)
    assert left.stat().st_blocks * 512 < SIZE
    arrived = arrivals(monkeypatch)
    restore(saved, target)
    assert [path.name for path in target.iterdir()] == ["film"]
    assert (target / "film").read_bytes() == noise(SIZE)
    assert sum(arrived) == SIZE - written < SIZE


def test_where_others_write_too_nothing_is_left(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the room of files that no restore would ever look for."""
    monkeypatch.setattr("common.components.files.restoring.restore.claim", lambda *_: False)
    _, told = ended(backup(vault, b"film"), tmp_path / "target", monkeypatch)
    assert told == ""
    assert list((tmp_path / "target").iterdir()) == []


def test_what_it_did_not_get_to_stays_for_the_next(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: what the first of three attempts had brought, because the second was a short one."""
    saved, target = backup(vault, b"film"), tmp_path / "target"
    written, before = ended(saved, target, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(placing.Placing, "_contents", lambda _: unavailable())
        with pytest.raises(Unavailable) as raised:
            restore(saved, target)
    assert raised.value.__notes__ == [before]
    arrived = arrivals(monkeypatch)
    restore(saved, target)
    assert sum(arrived) == SIZE - written


def test_no_room_for_the_next_file_costs_no_whole_one(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a large file that was whole and had no name yet; or the last room on a full disk."""
    saved, target = backup(vault, b"a", b"b"), tmp_path / "target"
    write, calls = writing._write, list[int]()

    def full(file: int, offset: int, size: int) -> None:
        linux.fallocate(file, offset, size)
        calls.append(file)
        if len(calls) > 1:
            fails(errno.ENOSPC)()

    def first(file: int, piece: bytes, offset: int) -> None:
        if os.fsdecode(part_mark(b"b")) in Path(f"/proc/self/fd/{file}").readlink().name:
            time.sleep(60)  # until this process is ended
        write(file, piece, offset)

    with monkeypatch.context() as patch:
        patch.setattr(batching, "_FIRST", SIZE)
        patch.setattr(batching, "_BATCH", SIZE)
        patch.setattr(arriving, "fallocate", full)
        patch.setattr(writing, "_write", first)
        with pytest.raises(NoSpace):
            restore(saved, target)
    (left,) = target.iterdir()
    assert left.read_bytes() == noise(SIZE)
    arrived = arrivals(monkeypatch)
    restore(saved, target)
    assert sum(arrived) == SIZE
    assert [(target / name).read_bytes() for name in "ab"] == [noise(SIZE, 0), noise(SIZE, 1)]
