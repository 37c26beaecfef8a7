"""What a command on a repository loads before it begins."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.repository.format.config import RepositoryConfig
from common.repository.opening import create

KEY = "correct horse battery staple"
HEAVY = ("pydantic", "email", "asyncio", "structlog", "fastapi", "rich")
CUTTING = ("pyfastcdc",)
READING = ("multiprocessing", "common.repository.check", "common.repository.prune")
SHOW = """
import atexit, os, sys
heavy = os.environ["HEAVY"].split()
atexit.register(lambda: print("loaded:", *[name for name in heavy if name in sys.modules]))
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
    arguments: dict[str, list[Path | str]] = {
        "backup": [tree],
        "check": [],
        "restore": ["latest", tmp_path / "back"],
    }
    assert loaded(repo, command, *arguments[command]) == []


def test_a_backup_of_what_has_not_changed_loads_only_what_it_needs(tmp_path: Path) -> None:
    """Lost: a tenth of its time, for what stores, restores, checks and prunes."""
    repo, tree = tmp_path / "repo", tmp_path / "tree"
    create(repo, RepositoryConfig.create(KEY))
    tree.mkdir()
    strongroom(repo, "backup", tree)
    assert loaded(repo, "backup", tree, names=(*CUTTING, *READING)) == []
    (tree / "new").write_bytes(bytes(2_000_000))
    assert loaded(repo, "backup", tree, names=CUTTING) == list(CUTTING)


def loaded(
    repo: Path, command: str, *arguments: object, names: tuple[str, ...] = HEAVY
) -> list[str]:
    """Which of these modules the command has loaded."""
    told = strongroom(repo, command, *arguments, names=names).splitlines()[-1].split()
    assert told[0] == "loaded:"
    return told[1:]


def strongroom(repo: Path, command: str, *arguments: object, names: tuple[str, ...] = HEAVY) -> str:
    """What the command prints, what it loaded last."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, "repo", command, repo, *map(str, arguments)],
        env={"BACKUP_ENCRYPTION_KEY": KEY, "HOME": str(repo.parent), "HEAVY": " ".join(names)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
