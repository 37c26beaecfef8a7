"""``strongroom repo restore`` is ended in the middle of a large file, and run again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SIZE = 24 * 2**20
HELD = """
import signal, sys, time
from pathlib import Path
from common.components.files.restoring import writing

signal.signal(signal.SIGINT, signal.default_int_handler)
notes, most = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
write = writing._write

def noted(file, piece, offset):
    write(file, piece, offset)
    with notes.open("a") as lengths:
        lengths.write(f"{len(piece)}\\n")
    if notes.read_text().count("\\n") >= most:
        time.sleep(60)

writing._write = noted
from standalone.__main__ import main
main()
"""
"""The command, but it holds on after so many pieces."""


@pytest.fixture
def backed_up(
    strongroom: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "correct horse battery staple")
    (tmp_path / "film").write_bytes(random.Random(0).randbytes(SIZE))
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    assert strongroom("repo", "backup", tmp_path / "repo", tmp_path / "film").code == 0
    return tmp_path / "repo"


def begin(repo: Path, target: Path, notes: Path, most: int) -> "subprocess.Popen[str]":
    words = (notes, most, "repo", "restore", repo, "latest", target)
    return subprocess.Popen(
        [sys.executable, "-c", HELD, *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def written(notes: Path) -> list[int]:
    return [int(line) for line in notes.read_text().split()] if notes.exists() else []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_it_goes_on_where_it_was(
    backed_up: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Lost: the hours that it had taken, because of Ctrl-C or because its pod had to go."""
    target, first, second = tmp_path / "target", tmp_path / "first", tmp_path / "second"
    command, give_up = begin(backed_up, target, first, 3), time.monotonic() + 60
    while len(written(first)) < 3 and time.monotonic() < give_up:
        time.sleep(0.01)
    command.send_signal(number)
    _, said = command.communicate(timeout=60)
    assert command.returncode == code
    assert ("run the same restore again" in said) == (number != signal.SIGKILL)
    again = begin(backed_up, target, second, 10**6)
    again.communicate(timeout=60)
    assert again.returncode == 0
    here = target / tmp_path.relative_to("/")
    assert [path.name for path in here.iterdir()] == ["film"]
    assert (here / "film").read_bytes() == (tmp_path / "film").read_bytes()
    assert sum(written(second)) <= SIZE - sum(written(first)) < SIZE
