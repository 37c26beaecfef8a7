"""What a command on a repository loads before it begins."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.repository.format.config import RepositoryConfig
from common.repository.opening import create

KEY = "correct horse battery staple"
HEAVY = ("pydantic", "email", "asyncio", "structlog", "fastapi", "rich")
SHOW = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *[name for name in {HEAVY} if name in sys.modules]))
from standalone.__main__ import main
main()
"""


@pytest.mark.parametrize("command", ["backup", "check", "restore"])
def test_a_command_on_a_repository_loads_nothing_heavy(tmp_path: Path, command: str) -> None:
    """Lost: a third of the time of a backup of which nothing has changed."""
    repo, tree = tmp_path / "repo", tmp_path / "tree"
    create(repo, RepositoryConfig.create(KEY))
    tree.mkdir()
    strongroom(repo, "backup", tree)
    arguments = {"backup": [tree], "check": [], "restore": ["latest", tmp_path / "back"]}
    assert "loaded:" in (told := strongroom(repo, command, *arguments[command]))
    assert told.splitlines()[-1] == "loaded:"


def strongroom(repo: Path, command: str, *arguments: object) -> str:
    """What the command prints, what it loaded last."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, "repo", command, repo, *map(str, arguments)],
        env={"BACKUP_ENCRYPTION_KEY": KEY, "HOME": str(repo.parent)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
