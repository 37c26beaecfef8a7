"""``strongroom repo`` ls, find, diff, dump, stats, forget, copy: for scripts and people."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.components.names import show

Run = Callable[..., Any]
KEY = "correct horse battery staple"
FAR = 10**12
"""Seconds since 1970: the year 33658."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "letter.txt").write_text("dear reader\n" * 1000)
    (folder / "raw").write_bytes(os.urandom(50_000))
    (folder / "link").symlink_to("deep/letter.txt")
    return folder


@pytest.fixture
def repo(strongroom: Run, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two backups, between which a file was changed, one added and one removed."""
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    assert strongroom("repo", "backup", tmp_path / "repo", source, "--name", "first").code == 0
    (source / "deep" / "letter.txt").write_text("dear reader,\n" * 1000)
    (source / "new").write_text("new")
    (source / "link").unlink()
    assert strongroom("repo", "backup", tmp_path / "repo", source, "--name", "second").code == 0
    return tmp_path / "repo"


def test_a_folder_is_listed(strongroom: Run, repo: Path, source: Path) -> None:
    """Lost: looking into a backup without restoring it."""
    listed = strongroom("repo", "ls", repo, "first", source)
    names = [line.partition(f"{source}/"[1:])[2] for line in listed.out.splitlines()]
    assert names == ["deep", "link -> deep/letter.txt", "raw"]
    found = json.loads(strongroom("repo", "ls", repo, "first", "-r", "--json").out)
    by_path = {each["path"]: each for each in found}
    letter = by_path[str(source / "deep" / "letter.txt").lstrip("/")]
    assert (letter["type"], letter["size"], letter["component"]) == ("file", 12_000, "files")
    nowhere = strongroom("repo", "ls", repo, "first", "/nowhere", "--json")
    assert (nowhere.code, nowhere.out) == (5, "[]\n")
    assert strongroom("repo", "ls", repo, "first", source / "deep" / "letter.txt").code == 0


def test_a_time_that_no_calendar_has_is_told(strongroom: Run, repo: Path) -> None:
    """Lost: the truth about a file of the far future, said to be of 1970."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        file = Path(folder, "far")
        file.touch()
        os.utime(file, ns=(0, FAR * 10**9 + 1))
        if file.stat().st_mtime != FAR:
            pytest.skip("the file system has no such times")
        assert strongroom("repo", "backup", repo, folder).code == 0
    assert f" @{FAR} " in strongroom("repo", "ls", repo, "latest", folder).out


def test_a_name_is_found_in_every_backup(strongroom: Run, repo: Path) -> None:
    """Lost: the backup that still has a deleted file."""
    found = json.loads(strongroom("repo", "find", repo, "link", "--json").out)
    assert [each["name"] for each in found] == ["first"]
    assert len(strongroom("repo", "find", repo, "*.txt").out.splitlines()) == 2
    twice = ("--snapshot", found[0]["snapshot"])
    only = strongroom("repo", "find", repo, "*.txt", "--snapshot", "first", *twice)
    assert len(only.out.splitlines()) == 1
    assert strongroom("repo", "find", repo, "nothing").code == 5


def test_changes_are_told(strongroom: Run, repo: Path) -> None:
    """Lost: knowing what was done to the data, and when."""
    outcome = strongroom("repo", "diff", repo, "first", "second")
    # The folders above the source are told as well: others write into them meanwhile.
    lines = {line[0] + " " + line.rpartition("/")[2] for line in outcome.out.splitlines()}
    assert {"M letter.txt", "+ new", "- link"} <= lines
    assert "M raw" not in lines
    changes = json.loads(strongroom("repo", "diff", repo, "first", "second", "--json").out)
    assert {"added", "removed", "content"} <= {each["change"] for each in changes}
    assert "no difference" in strongroom("repo", "diff", repo, "first", "first").err


def test_one_file_comes_out(strongroom: Run, repo: Path, source: Path) -> None:
    """Lost: one file in a pipe, without room for the rest."""
    letter = source / "deep" / "letter.txt"
    assert strongroom("repo", "dump", repo, "second", letter).out == letter.read_text()
    assert strongroom("repo", "dump", repo, "first", source / "new").code == 5
    assert strongroom("repo", "dump", repo, "first", source / "deep").code == 2


def test_a_path_means_the_file_that_is_called_so(strongroom: Run, repo: Path, source: Path) -> None:
    """Lost: a file whose name is written as that of another one is shown, or is no text."""
    names = ("100%25", "100%", "\udcff", "empty")
    for name in names[:3]:
        (source / name).write_bytes(os.fsencode(name))
    (source / "empty").mkdir()
    assert strongroom("repo", "backup", repo, source).code == 0
    for name in names[:3]:
        dumped = strongroom("repo", "dump", repo, "latest", source / name).out
        assert dumped == os.fsencode(name).decode(errors="replace")
        listed = strongroom("repo", "ls", repo, "latest", source / name).out
        assert listed.endswith(f"/{show(os.fsencode(name))}\n")
    assert strongroom("repo", "dump", repo, "latest", f"{source}/%FF").code == 0
    empty = strongroom("repo", "ls", repo, "latest", source / "empty")
    assert (empty.code, empty.out) == (0, "")


def test_sizes_are_told(strongroom: Run, repo: Path) -> None:
    """Lost: knowing why the disk is full."""
    found = json.loads(strongroom("repo", "stats", repo, "--json").out)
    first, second = found["backups"]
    assert (first["name"], first["size_bytes"]) == ("first", 62_000)
    assert second["added_bytes"] < 30_000
    assert found["deduplication"] > 1.5
    assert found["waste_bytes"] == 0
    assert "prune would free" in strongroom("repo", "stats", repo).out


def test_damage_is_met_with_a_name_and_a_code(strongroom: Run, repo: Path) -> None:
    """Lost: the knowledge that a listing is not everything."""
    shutil.rmtree(repo / "packs")
    for command in (("ls", repo, "first"), ("find", repo, "x"), ("diff", repo, "first", "second")):
        outcome = strongroom("repo", *command)
        assert outcome.code == 7
        assert "packs/" in outcome.err


def test_several_are_forgotten_at_once(strongroom: Run, repo: Path) -> None:
    """Lost: clearing up by script."""
    outcome = strongroom("repo", "forget", repo, "first", "second", "--reason", "old", "--prune")
    assert outcome.code == 0
    assert "retired" in outcome.err
    assert json.loads(strongroom("repo", "snapshots", repo, "--json").out) == []
    assert json.loads(strongroom("repo", "prune", repo, "--json").out)["removed_packs"] == 0


def test_an_interrupted_forgetting_goes_on(strongroom: Run, repo: Path) -> None:
    """Lost: the space of what a script, killed between two tombstones, never comes to again."""
    first = json.loads(strongroom("repo", "snapshots", repo, "--json").out)[0]["id"]
    assert strongroom("repo", "forget", repo, "first").code == 0
    by_id = strongroom("repo", "forget", repo, first[:8], "--prune")
    assert (by_id.code, "1 backup had been forgotten before" in by_id.err) == (0, True)
    by_name = strongroom("repo", "forget", repo, "first", "second", "third", "--prune")
    assert by_name.code == 5
    assert ("'first', 'third'" in by_name.err, "retired" in by_name.err) == (True, True)
    assert json.loads(strongroom("repo", "snapshots", repo, "--json").out) == []


def test_rules_thin_each_set_of_paths_by_itself(strongroom: Run, repo: Path, source: Path) -> None:
    """Lost: the only backup of one folder, by a rule that counted those of another."""
    assert strongroom("repo", "backup", repo, source / "deep", "--name", "deep").code == 0
    command = ("repo", "forget", repo, "--keep-last", "1", "--json")
    tried, done = strongroom(*command, "--dry-run"), strongroom(*command, "--prune")
    for outcome in map(json.loads, (tried.out, done.out)):
        assert [each["name"] for each in outcome["forgotten"]] == ["first"]
        kept = [(each["name"], each["reasons"]) for each in outcome["kept"]]
        assert kept == [("second", ["last"]), ("deep", ["last"])]
    assert json.loads(tried.out)["pruned"] is None
    assert "retired_packs" in json.loads(done.out)["pruned"]
    left = strongroom("repo", "forget", repo, "--keep-daily", "7")
    assert ("daily" in left.out, "0 backups forgotten, 2 kept" in left.err) == (True, True)


def test_forgetting_by_name_may_be_tried_first(strongroom: Run, repo: Path) -> None:
    """Lost: the backups of a script that meant others."""
    tried = strongroom("repo", "forget", repo, "first", "--dry-run")
    assert ("first" in tried.out, "second" in tried.out) == (True, False)
    assert "1 backup would be forgotten, 1 kept." in tried.err
    done = json.loads(strongroom("repo", "forget", repo, "first", "--json").out)
    assert [each["name"] for each in done["forgotten"]] == ["first"]
    assert strongroom("repo", "forget", repo, "first").code == 5


@pytest.mark.parametrize(
    "wrong", [(), ("first", "--keep-last", "1"), ("--keep-last", "0"), ("--keep-last", "")]
)
def test_without_a_name_or_rules_nothing_goes(
    strongroom: Run, repo: Path, wrong: tuple[str, ...]
) -> None:
    """Lost: everything, by a script whose variable was empty."""
    refused = strongroom("repo", "forget", repo, *wrong)
    assert (refused.code, "Traceback" in refused.err) == (2, False)
    assert len(json.loads(strongroom("repo", "snapshots", repo, "--json").out)) == 2


def test_a_copy_is_a_repository(strongroom: Run, repo: Path, tmp_path: Path) -> None:
    """Lost: the second disk. Folders above it are made for a copy as for a new repository."""
    other = tmp_path / "disks" / "other"
    first = json.loads(strongroom("repo", "copy", repo, other, "--json").out)
    assert (first["mode"], first["failed"]) == ("objects", {})
    again = json.loads(strongroom("repo", "copy", repo, other, "--json").out)
    assert again["copied"] == 0
    assert strongroom("repo", "check", other, "--read-data").code == 0
    assert strongroom("repo", "init", tmp_path / "more" / "disks" / "new").code == 0


def test_backups_move_under_another_key(
    strongroom: Run, repo: Path, tmp_path: Path, source: Path
) -> None:
    """Lost: the way out of a repository whose key is known to others."""
    key, other = tmp_path / "key", tmp_path / "other"
    assert strongroom("keys", "generate", "--out", key).code == 0
    assert strongroom("repo", "init", other, "--key-file", key).code == 0
    copied = ("repo", "copy", repo, other, "--other-key-file", key, "--snapshot", "second")
    assert "1 backup written" in strongroom(*copied).err
    assert strongroom("repo", "check", other, "--read-data", "--key-file", key).code == 0
    assert strongroom("repo", "check", other).code == 8
    new = strongroom("repo", "dump", other, "latest", source / "new", "--key-file", key)
    assert new.out == "new"
