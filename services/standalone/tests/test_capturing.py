"""A backup by the command line alone: as somebody watches it, and names what to back up."""

import os
import select
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.repository.ingesting.reading import FileReader
from standalone.repositories.capturing import back_up
from standalone.repositories.opening import writing

Run = Callable[..., Any]
SIZE = 5_000


@pytest.fixture
def repo(strongroom: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "correct horse battery staple")
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    return tmp_path / "repo"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(os.urandom(SIZE))
    (tmp_path / "source" / "left out").write_bytes(b"x" * 9000)
    return tmp_path / "source"


def totals(repo: Path, source: Path) -> set[int | None]:
    """What is told of how much a backup has to read."""
    told = set[int | None]()

    def report(phase: str, done: int, total: int | None, *_: Any, **__: Any) -> None:
        told.add(total)

    excluded = ["left out"]
    repository = writing(repo, None)
    back_up(repository, [source], name=None, exclude=excluded, report=report, reread=True, level=3)
    return told


@pytest.mark.parametrize("seconds", [-1, 400_000_000_000])
def test_a_clock_that_can_date_no_backup_is_told(
    strongroom: Run, repo: Path, source: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Lost: why nothing is backed up since the battery of the clock ran out."""
    wrong = SimpleNamespace(time=lambda: seconds, time_ns=lambda: seconds * 10**9)
    monkeypatch.setattr("common.identifiers.time", wrong)
    monkeypatch.setattr("standalone.cli.time", wrong)
    outcome = strongroom("repo", "backup", repo, source)
    assert (outcome.code, "clock" in outcome.err) == (6, True)


def test_a_first_backup_is_counted_and_the_next_one_known(
    repo: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: percent and time to go of the longest backup; then, a disk's time each night."""
    look = select.select
    monkeypatch.setattr(
        select, "select", lambda reads, writes, others, _: look(reads, writes, others, 60)
    )
    assert totals(repo, source) == {SIZE}
    monkeypatch.delattr(os, "fork")
    assert totals(repo, source) == {SIZE}


def test_a_backup_that_nobody_watches_is_not_counted(
    strongroom: Run, repo: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the time of every backup that cron starts."""
    monkeypatch.delattr(os, "fork")
    assert strongroom("repo", "backup", repo, source).code == 0


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened to be read."""
    names: list[str] = []
    real = FileReader.read

    def noting(self: FileReader, folder: int, name: bytes, seen: bytes) -> Any:
        names.append(os.fsdecode(name))
        return real(self, folder, name, seen)

    monkeypatch.setattr(FileReader, "read", noting)
    monkeypatch.setattr("common.repository.ingesting.assembling._SETTLED_NS", 0)
    return names


def test_a_backup_of_other_paths_between_makes_nothing_be_read(
    strongroom: Run, repo: Path, source: Path, opened: list[str], tmp_path: Path
) -> None:
    """Lost: a disk's time each night, where two folders are backed up in turn."""
    (tmp_path / "other").write_text("other")
    for paths in ([source], [tmp_path / "other"]):
        assert strongroom("repo", "backup", repo, *paths).code == 0
    opened.clear()
    for paths in ([source], [tmp_path / "other"]):
        assert strongroom("repo", "backup", repo, *paths).code == 0
    assert opened == []


def test_what_a_backup_without_the_cache_has_read_is_what_the_next_one_knows(
    strongroom: Run, repo: Path, source: Path, opened: list[str], tmp_path: Path
) -> None:
    """Lost: what only a full reading has seen, to a cache from before it."""
    assert strongroom("repo", "backup", repo, source, "--no-cache").code == 0
    assert "file" in opened
    opened.clear()
    assert strongroom("repo", "backup", repo, source).code == 0
    assert opened == []
    assert strongroom("repo", "backup", repo, source, "--no-cache").code == 0
    assert "file" in opened


def test_dots_behind_a_symlink_lead_where_the_shell_says(
    strongroom: Run, repo: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the folder that was meant; another one of that name is kept, and all seems well."""
    for folder in (source.parent / "deep", source / "deep", source / "other"):
        folder.mkdir()
    (source / "deep/right").touch()
    (source.parent / "leads there").symlink_to(source / "other")
    monkeypatch.chdir(source.parent)
    assert strongroom("repo", "backup", repo, "leads there/../deep").code == 0
    assert f"{source}/deep/right"[1:] in strongroom("repo", "ls", repo, "latest", "-r").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("backup", "{repo}", ""),
        ("backup", "", "{repo}"),
        ("restore", "{repo}", "latest", ""),
        ("restore", "{repo}", "latest", "{repo}-out", ""),
        ("snapshots", "{repo}", "--key-file", ""),
    ],
)
def test_an_empty_path_is_wrong_usage(
    strongroom: Run,
    repo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    """Lost: what is in the current folder, to a script whose variable is not set."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    outcome = strongroom("repo", *(each.format(repo=repo) for each in arguments))
    assert (outcome.code, "empty" in outcome.err) == (2, True)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_current_folder_that_was_deleted_is_told(
    strongroom: Run, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: what to do about it, behind the name of an exception."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    outcome = strongroom("repo", "backup", repo, ".")
    assert (outcome.code, "has been deleted" in outcome.err) == (5, True)
    monkeypatch.chdir(tmp_path)
