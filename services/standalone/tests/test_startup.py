"""What a command on a repository loads before it begins."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.repository.format.config import RepositoryConfig
from common.repository.opening import create

KEY = "correct horse battery staple"
HEAVY = ("pydantic", "email", "asyncio", "structlog", "fastapi", "rich", "_hashlib")
STORING = ("pyfastcdc", "concurrent.futures", "ctypes")
READING = (
    "multiprocessing", "common.repository.checking.check", "common.repository.pruning.prune",
    "common.repository.pruning.abandon", "common.repository.reading.fetch",
    "common.repository.checking.findings", "common.repository.format.blockreader",
)  # fmt: skip
SPREADING = ("common.repository.ingesting.readers", "socket", "logging", "secrets", "common.kernel")
DESCRIBING = (
    "common.repository.entry", "common.repository.session", "common.repository.index.catalog",
    "common.repository.format.config", "common.repository.format.snapshot", "common.crypto.hpke",
    "dataclasses", "inspect", "datetime", "json", "uuid", "platform", "zstandard",
)  # fmt: skip
WRITING = (
    "common.repository.run",
    "common.repository.index.knownpacks",
    "standalone.repositories.capturing",
)
WITH_GENERATED_METHODS = {"Entry", "FilesOptions"}
SHOW = """
import atexit, os, sys
heavy = os.environ["HEAVY"].split()
atexit.register(lambda: print("loaded:", *[name for name in heavy if name in sys.modules]))
from standalone.__main__ import main
main()
"""
SHOW_DATACLASSES = """
import atexit, sys
def show():
    ours = [each for name, each in sys.modules.items() if name.startswith(("common", "standalone"))]
    classes = {each for module in ours for each in vars(module).values() if type(each) is type}
    print("loaded:", *[each.__name__ for each in classes if "__dataclass_fields__" in vars(each)])
atexit.register(show)
from standalone.__main__ import main
main()
"""


@pytest.fixture
def repo(tmp_path: Path, tree: Path) -> Path:
    """A repository with one backup of the tree."""
    path = tmp_path / "repo"
    create(path, RepositoryConfig.create(KEY))
    strongroom(path, "backup", tree)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What is backed up."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.mark.parametrize("command", ["backup", "check", "restore"])
def test_a_command_on_a_repository_loads_nothing_heavy(
    repo: Path, tree: Path, command: str
) -> None:
    """Lost: a third of the time of a backup of which nothing has changed."""
    arguments: dict[str, list[Path | str]] = {
        "backup": [tree],
        "check": [],
        "restore": ["latest", repo.parent / "back"],
    }
    assert loaded(repo, command, *arguments[command]) == []


def test_a_backup_that_finds_little_new_loads_only_what_it_needs(repo: Path, tree: Path) -> None:
    """Lost: a tenth of its time, for what stores much, reads backups, and starts processes."""
    names = (*STORING, *READING, *SPREADING)
    # Once in five: the folders above belong to a backup, and others change /tmp meanwhile.
    assert [] in (loaded(repo, "backup", tree, names=(*names, "zstandard")) for _ in range(5))
    (tree / "little").write_bytes(b"new")
    assert loaded(repo, "backup", tree, names=names) == []
    (tree / "much").write_bytes(bytes(2_000_000))
    assert set(loaded(repo, "backup", tree, names=names)) >= set(STORING)


def test_who_reads_loads_nothing_that_writes(repo: Path) -> None:
    """Lost: a tenth of the time of every check and of every look into a backup."""
    assert loaded(repo, "check", names=WRITING) == []
    assert loaded(repo, "ls", "latest", names=WRITING) == []
    assert loaded(repo, "restore", "latest", repo.parent / "back", names=WRITING) == []


def test_few_classes_have_their_methods_made_at_the_start(repo: Path, tree: Path) -> None:
    """Lost: half a millisecond for each dataclass: Python compiles six methods for it anew."""
    found = set(loaded(repo, "backup", tree, show=SHOW_DATACLASSES))
    assert {"Entry"} <= found <= WITH_GENERATED_METHODS


def test_a_process_that_reads_files_loads_nothing_that_describes_backups() -> None:
    """Lost: a third of what every one takes to start, while a backup waits for it."""
    program = "import common.repository.ingesting.reader_process, sys; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program], env={}, capture_output=True, timeout=60, check=True
    )
    modules = set(found.stdout.decode().split())
    assert modules & {*HEAVY, *READING, *WRITING, *DESCRIBING} == set()
    assert "common.repository.writing.storing" in modules


def loaded(
    repo: Path, command: str, *arguments: object, names: tuple[str, ...] = HEAVY, show: str = SHOW
) -> list[str]:
    """Which of these modules the command has loaded, or what else ``show`` tells of it."""
    told = strongroom(repo, command, *arguments, names=names, show=show).splitlines()[-1].split()
    assert told[0] == "loaded:"
    return told[1:]


def strongroom(
    repo: Path, command: str, *arguments: object, names: tuple[str, ...] = HEAVY, show: str = SHOW
) -> str:
    """What the command prints, what it loaded last."""
    done = subprocess.run(
        [sys.executable, "-c", show, "repo", command, repo, *map(str, arguments)],
        env={"BACKUP_ENCRYPTION_KEY": KEY, "HOME": str(repo.parent), "HEAVY": " ".join(names)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
