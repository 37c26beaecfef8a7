"""``strongroom repo`` by an account that may open few files."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trees import compare

MOST = 256
WIDE, DEEP, SPARSE = 1800, 48, 300

Limited = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def limited(tmp_path: Path) -> Limited:
    """Runs the command where it may never have more than 256 files open."""
    environment = os.environ | {
        "BACKUP_ENCRYPTION_KEY": "correct horse battery staple",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f'ulimit -n {MOST} && exec "$@"', "sh",  # soft and hard
             sys.executable, "-m", "standalone", "repo", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Many folders beside each other and in each other, and many files in two pieces each: of all
    of them enough for processes to read them.
    """
    root = tmp_path / "tree"
    deep = root / "deep" / "/".join(["d"] * DEEP)
    for number in range(WIDE):
        folder = (deep if number % 8 == 0 else root / "wide") / f"{number:04}"
        folder.mkdir(parents=True)
        (folder / "file").write_text(f"{number}")
    (root / "sparse").mkdir()
    for number in range(SPARSE):
        with (root / "sparse" / f"{number:04}").open("wb") as file:
            for place in (0, 65_536):
                file.seek(place)
                file.write(f"{number} at {place}".encode())
    return root


def test_a_tree_is_kept_and_comes_back_whole_where_few_files_may_be_open(
    limited: Limited, tree: Path, tmp_path: Path
) -> None:
    """Lost: every folder past the limit of open files, of a tree that has more."""
    repo, target = tmp_path / "repo", tmp_path / "target"
    commands = (
        ("init", repo),
        ("backup", repo, tree),
        ("check", repo, "--read-data"),
        ("restore", repo, "latest", target),
    )
    for command in commands:
        outcome = limited(*command)
        assert outcome.returncode == 0, outcome.stderr
    assert compare(tree, target / tree.relative_to("/")) == []
