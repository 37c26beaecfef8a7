"""What ``strongroom`` writes where a standard stream is closed, or takes only some letters."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from common.components.files import FilesComponent
from common.repository.opening import open_reader
from common.repository.prepared import SnapshotMeta

Run = Callable[..., subprocess.CompletedProcess[str]]
ALL = "<&- >&- 2>&-"
KEY = "correct horse battery staple"
HOSTILE = "a\x1b[31m\udcff\nstrongroom: b\\[/]"
SHOWN = "a\ufffd[31m\ufffd\ufffdstrongroom: b\\[/]"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command on a repository with these redirections by a shell."""
    environment = os.environ | {
        "BACKUP_ENCRYPTION_KEY": KEY,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(
        redirected: str, *arguments: object, letters: str = "utf-8"
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "standalone", "repo", *map(str, arguments)]
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirected}', "sh", *command],
            env=environment | {"PYTHONIOENCODING": f"{letters}:strict"},
            capture_output=True, encoding="utf-8", timeout=60, check=False,
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


@pytest.fixture
def named(run: Run, tmp_path: Path) -> Path:
    """A repository with a backup, and a component, of a name that nobody would choose for good."""
    repo, folder = tmp_path / "repo", tmp_path / "folder"
    folder.mkdir()
    (folder / "lett\xe9r").write_text("dear r\xe9ader")
    assert run("", "init", repo).returncode == 0
    with open_reader(repo, KEY).begin(uuid4()) as made:
        with made.component(HOSTILE, "files") as sink:
            sink.details = FilesComponent.of("files", [folder]).capture(sink)
        made.finish(SnapshotMeta("b", HOSTILE, "c")).commit_next()
    return repo


@pytest.mark.parametrize("letters", ["utf-8", "ascii"])
def test_a_name_is_told_as_letters_of_one_line(run: Run, named: Path, letters: str) -> None:
    """Lost: the terminal, to who has a writer key; the check, by a name that no stream takes."""
    shown = SHOWN.encode(letters, "backslashreplace").decode()
    assert shown in run("", "snapshots", named, letters=letters).stdout
    refused = run("", "ls", named, "latest", "--component", "x", letters=letters)
    assert (refused.returncode, "\x1b" in refused.stderr) == (5, False)
    assert "\nstrongroom:" not in refused.stderr
    for pack in (named / "packs").rglob("*/*"):
        pack.unlink()
    for command in ("check",), ("repair", "snapshots"):
        told = run("", *command, named, letters=letters)
        assert (told.returncode, f"{shown}, {shown}" in told.stdout) == (7, True), told
        assert "\x1b" not in told.stdout + told.stderr


def test_a_stream_of_few_letters_gets_all_in_them(run: Run, named: Path) -> None:
    """Lost: listings under cron, which says nothing of letters. Bytes and JSON are as they are."""
    listed = run("", "ls", named, "latest", "-r", letters="ascii")
    assert (listed.returncode, "lett\\xe9r" in listed.stdout) == (0, True), listed
    found = json.loads(run("", "snapshots", named, "--json", letters="ascii").stdout)
    assert found[0]["name"] == HOSTILE
    path = named.parent / "folder" / "lett\xe9r"
    assert run("", "dump", named, "latest", path, letters="ascii").stdout == "dear r\xe9ader"


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31m", "\udcff"])
def test_a_name_that_nobody_could_read_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    """Lost: knowing which backup is meant."""
    refused = run("", "backup", tmp_path / "repo", tmp_path, "--name", name)
    assert (refused.returncode, "printable" in refused.stderr) == (2, True)
