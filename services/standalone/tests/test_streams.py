"""``strongroom`` where a standard stream is closed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
ALL = "<&- >&- 2>&-"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command on a repository with these redirections by a shell."""
    environment = os.environ | {
        "BACKUP_ENCRYPTION_KEY": "correct horse battery staple",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(redirected: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "standalone", "repo", *map(str, arguments)]
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirected}', "sh", *command],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ALL])
def test_a_command_does_its_work_with_a_stream_closed(
    run: Run, tmp_path: Path, closed: str
) -> None:
    """Lost: every backup of a job that closes a stream, and not a word about it."""
    repo, target = tmp_path / "repo", tmp_path / "target"
    (tmp_path / "letter").write_text("dear reader")
    assert run(closed, "init", repo).returncode == 0
    done = run(closed, "backup", repo, tmp_path / "letter")
    assert done.returncode == 0, done.stderr
    assert len(list((repo / "snapshots").iterdir())) == 1
    assert run(closed, "check", repo).returncode == 0
    assert run(closed, "restore", repo, "latest", target).returncode == 0
    assert [each.read_text() for each in target.rglob("letter")] == ["dear reader"]
    assert run(closed, "forget", repo, "latest", "--prune").returncode == 0
    assert run(closed, "ls", repo, "latest").returncode == 5
