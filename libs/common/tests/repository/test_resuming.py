"""A restore is killed in the middle of a large file and repeated."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.components.component import Target
from common.components.files import FilesComponent
from common.components.files.restoring import leftovers
from common.components.files.restoring.leftovers import PREFIX
from common.repository.reading.batching import Piece, StoredBatch
from vault import Vault, noise

SIZE = 12 * 2**20
WRITTEN = 4
"""So many pieces are on the disk when the restore is killed."""


@pytest.fixture(autouse=True)
def _time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, by then the processes of a killed restore have ended."""
    monkeypatch.setattr(leftovers, "PATIENCE", 60)


@pytest.fixture
def backup(vault: Vault) -> Any:
    """Of one large file."""
    snapshot = vault.backup({b"film": noise(SIZE)}).id
    return vault.reader().snapshot(snapshot)


@pytest.fixture
def lengths(tmp_path: Path) -> Path:
    """Where the lengths of the pieces are noted that are written."""
    return tmp_path / "lengths"


def restore(backup: Any, target: Path) -> None:
    FilesComponent.of("files", []).restore(backup.source("files"), Target(directory=target))


def killed(backup: Any, target: Path, lengths: Path) -> Path:
    """Restore in another process, which dies in the middle; the file that it leaves."""
    pieces = StoredBatch.pieces

    def few(batch: StoredBatch, number: int) -> Iterator[Piece]:
        for count, piece in enumerate(pieces(batch, number)):
            if count == WRITTEN:
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)  # until this process goes with its parent
            with lengths.open("a") as file:
                file.write(f"{len(piece[2])}\n")
            yield piece

    child = os.fork()
    if child == 0:
        StoredBatch.pieces = few  # type: ignore[assignment,method-assign]
        restore(backup, target)
        os._exit(0)
    os.waitpid(child, 0)
    (left,) = target.iterdir()
    assert os.fsencode(left.name).startswith(PREFIX)
    return left


def arriving(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that come from the repository."""
    counts = list[int]()
    monkeypatch.setattr(StoredBatch, "arrived", lambda _, count: counts.append(count))
    return counts


def test_what_is_there_of_a_large_file_is_not_fetched_again(
    backup: Any, tmp_path: Path, lengths: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the hours that it had taken so far; or a byte that the disk lost, with them."""
    target = tmp_path / "target"
    left = killed(backup, target, lengths)
    first, *others = map(int, lengths.read_text().split())
    with left.open("r+b") as file:
        file.write(b"\0")  # not what stood there: see noise()
    arrived = arriving(monkeypatch)
    restore(backup, target)
    assert [path.name for path in target.iterdir()] == ["film"]
    assert (target / "film").read_bytes() == noise(SIZE)
    assert first > 0 < len(others)
    assert sum(arrived) == SIZE - sum(others)


@pytest.mark.parametrize("spoil", ["link", "mode", "gone from the backup"])
def test_nobody_elses_file_is_filled(
    backup: Any, tmp_path: Path, lengths: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    """Lost: a file that somebody has put in the place of ours; the room that an old one takes."""
    target, theirs = tmp_path / "target", tmp_path / "theirs"
    left = killed(backup, target, lengths)
    if spoil == "link":
        theirs.hardlink_to(left)
    elif spoil == "mode":
        left.chmod(0o666)
    else:
        left.rename(left.with_name(left.name[:-1] + ("0" if left.name[-1] != "0" else "1")))
    arrived = arriving(monkeypatch)
    restore(backup, target)
    assert [path.name for path in target.iterdir()] == ["film"]
    assert sum(arrived) == SIZE
