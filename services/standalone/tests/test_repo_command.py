"""``strongroom repo``, ``rescue`` and ``keys``: a folder, a key, exit codes, and no service."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from common.components.files import FilesComponent
from common.repository.opening import open_reader
from common.repository.prepared import SnapshotMeta

Run = Callable[..., Any]
KEY = "correct horse battery staple"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "letter.txt").write_text("dear reader\n" * 1000)
    (folder / "link").symlink_to("deep/letter.txt")
    os.utime(folder / "deep" / "letter.txt", ns=(1, 123456789))
    return folder


@pytest.fixture
def repo(strongroom: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    return tmp_path / "repo"


@pytest.fixture
def backed_up(strongroom: Run, repo: Path, source: Path) -> Path:
    assert strongroom("repo", "backup", repo, source, "--name", "first").code == 0
    return repo


def test_what_was_backed_up_comes_back(
    strongroom: Run, backed_up: Path, source: Path, tmp_path: Path
) -> None:
    """Lost: the purpose of it all."""
    outcome = strongroom("repo", "restore", backed_up, "latest", tmp_path / "out")
    restored = tmp_path / "out" / source.relative_to("/")
    letter = restored / "deep" / "letter.txt"
    assert outcome.code == 0
    assert letter.read_bytes() == (source / "deep" / "letter.txt").read_bytes()
    assert letter.stat().st_mtime_ns == 123456789
    assert (restored / "link").readlink() == Path("deep/letter.txt")


def test_a_umask_against_its_own_account_does_not_lock_a_restore_out(
    strongroom: Run, backed_up: Path, tmp_path: Path
) -> None:
    """Lost: a restore by an ordinary account, which cannot enter what it has just made."""
    before = os.umask(0o777)
    try:
        outcome = strongroom("repo", "restore", backed_up, "latest", tmp_path / "new/out")
    finally:
        os.umask(before)
    assert outcome.code == 0
    assert [stat.S_IMODE((tmp_path / x).stat().st_mode) for x in ("new", "new/out")] == [0o700] * 2


def test_one_path_of_a_named_backup_comes_alone(
    strongroom: Run, backed_up: Path, source: Path, tmp_path: Path
) -> None:
    """Lost: getting one file back without the room for all."""
    wanted = source / "deep" / "letter.txt"
    assert strongroom("repo", "restore", backed_up, "first", tmp_path / "out", wanted).code == 0
    restored = tmp_path / "out" / source.relative_to("/")
    assert (restored / "deep" / "letter.txt").exists()
    assert not (restored / "link").is_symlink()


def test_a_latest_backup_that_is_dated_ahead_is_told(
    strongroom: Run, backed_up: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: all that was backed up after a night on which the clock was years ahead."""
    assert strongroom("repo", "ls", backed_up, "latest").err == ""
    with monkeypatch.context() as patch:
        ahead = SimpleNamespace(now=lambda zone: datetime(2101, 1, 1, tzinfo=zone))
        patch.setattr("common.repository.run.datetime", ahead)
        assert strongroom("repo", "backup", backed_up, source, "--name", "ahead").code == 0
    assert strongroom("repo", "backup", backed_up, source, "--name", "newer").code == 0
    told = strongroom("repo", "ls", backed_up, "latest")
    assert (told.code, "ahead" in told.err, "still to come" in told.err) == (0, True, True)
    assert strongroom("repo", "ls", backed_up, "newer").err == ""


def test_a_path_that_is_not_there_is_told(
    strongroom: Run, backed_up: Path, source: Path, tmp_path: Path
) -> None:
    """Lost: the truth, when one of several paths is mistyped and the others come back."""
    paths = (source / "link", source / "nowhere", "%zz/\udcff")
    outcome = strongroom("repo", "restore", backed_up, "latest", tmp_path / "out", *paths)
    assert outcome.code == 1
    assert f"nothing under the name {source}/nowhere." in outcome.err
    assert "nothing under the name %25zz/%FF." in outcome.err
    assert str(source / "link") not in outcome.err
    assert (tmp_path / "out" / source.relative_to("/") / "link").is_symlink()
    assert strongroom("repo", "restore", backed_up, "latest", tmp_path / "o", paths[1]).code == 5


def test_a_path_may_be_in_any_component(
    strongroom: Run, repo: Path, source: Path, tmp_path: Path
) -> None:
    """Lost: one file of a backup of several components, by a command that stops at another one."""
    letter = os.fsencode(source / "deep/letter.txt").strip(b"/")
    with open_reader(repo, KEY).begin(uuid4()) as run:
        for name in ("database", "files", "more"):
            with run.component(name, "files") as sink:
                if name == "files":
                    sink.details = FilesComponent.of(name, [source]).capture(sink)
        run.finish(SnapshotMeta("b", "b", "c")).commit_next()
    for command in (("repo", "restore"), ("rescue", "restore")):
        path = (os.fsdecode(letter),) if command[0] == "repo" else ("--path", os.fsdecode(letter))
        assert strongroom(*command, repo, "latest", tmp_path / command[0], *path).code == 0
        assert (tmp_path / command[0] / "files" / os.fsdecode(letter)).exists()


def test_listing_and_numbers_for_programs(strongroom: Run, backed_up: Path, source: Path) -> None:
    """Lost: scripts that act on what there is."""
    again = json.loads(strongroom("repo", "backup", backed_up, source, "--json").out)
    listed = json.loads(strongroom("repo", "snapshots", backed_up, "--json").out)
    assert listed[-1]["id"] == again["id"]
    assert listed[0]["name"] == "first"
    # The folders above the source are in the tree as well, and others write into them meanwhile.
    assert again["added_bytes"] < len("dear reader\n" * 1000)


def test_rescue_needs_nothing_but_the_folder_and_the_key(
    strongroom: Run, backed_up: Path, source: Path, tmp_path: Path
) -> None:
    """Lost: every backup, once the services are gone."""
    assert "first" in strongroom("rescue", "list", backed_up).out
    assert strongroom("rescue", "restore", backed_up, "latest", tmp_path / "out").code == 0
    restored = tmp_path / "out" / "files" / source.relative_to("/")
    assert (restored / "deep" / "letter.txt").exists()


def test_the_writer_key_writes_and_does_not_read(
    strongroom: Run,
    backed_up: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lost: a machine that can back up without being able to open any backup."""
    key = strongroom("keys", "writer").out.strip()
    monkeypatch.delenv("BACKUP_ENCRYPTION_KEY")
    monkeypatch.setenv("BACKUP_WRITER_KEY", key)
    assert strongroom("repo", "backup", backed_up, source).code == 0
    assert strongroom("repo", "restore", backed_up, "latest", tmp_path / "out").code == 8
    monkeypatch.delenv("BACKUP_WRITER_KEY")
    (tmp_path / "writer.key").write_text(key)
    by_file = ("--key-file", tmp_path / "writer.key")
    assert strongroom("repo", "backup", backed_up, source, *by_file).code == 0
    assert len(strongroom("repo", "snapshots", backed_up, *by_file).out.splitlines()) == 4
    refused = strongroom("repo", "ls", backed_up, "latest", *by_file)
    assert (refused.code, "writer key" in refused.err) == (8, True)


def test_damage_is_found_and_named(strongroom: Run, backed_up: Path) -> None:
    """Lost: knowing which backups are hit, before they are needed."""
    pack = next(path for path in (backed_up / "packs").rglob("*") if path.is_file())
    content = bytearray(pack.read_bytes())
    content[100] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(content)
    outcome = strongroom("repo", "check", backed_up, "--read-data", "--json")
    assert outcome.code == 7
    assert json.loads(outcome.out)["findings"][0]["object"].endswith(pack.name)


def test_a_restore_tells_programs_what_came_of_it(
    strongroom: Run, backed_up: Path, source: Path, tmp_path: Path
) -> None:
    """Lost: the proof of a restore that a script made."""
    size = (source / "deep" / "letter.txt").stat().st_size
    for group in ("repo", "rescue"):
        for _ in range(2):  # and once more over what is there
            arguments = (backed_up, "first", tmp_path / group)
            told = json.loads(strongroom(group, "restore", *arguments, "--json").out)
            (component,) = told["components"]
            assert (told["name"], told["size_bytes"]) == ("first", size)
            assert component["entries"] == told["entries"] >= 4
            assert Path(component["folder"], source.relative_to("/"), "link").is_symlink()


def test_the_parts_of_a_check_are_named_n_of_m(strongroom: Run, backed_up: Path) -> None:
    """Lost: a check of all data that a night is too short for."""
    outcomes = [
        strongroom("repo", "check", backed_up, "--json", "--read-data-subset", f"{part}/2")
        for part in (1, 2)
    ]
    packs = [path.stat().st_size for path in (backed_up / "packs").rglob("*") if path.is_file()]
    assert sum(json.loads(outcome.out)["read_bytes"] for outcome in outcomes) >= sum(packs)
    for wrong in (["3/2"], ["half"], ["1/"], ["1/2", "--read-data"]):
        assert strongroom("repo", "check", backed_up, "--read-data-subset", *wrong).code == 2


def test_something_left_out_is_exit_code_1(strongroom: Run, repo: Path, source: Path) -> None:
    """Lost: the difference between a whole backup and one with a gap."""
    (source.parent / "leads there").symlink_to(source)
    outcome = strongroom("repo", "backup", repo, source.parent / "leads there")
    assert outcome.code == 1
    assert "what it leads to is not backed up" in outcome.err


def test_output_that_finds_no_space_or_no_reader_has_a_code(backed_up: Path) -> None:
    """Lost: the difference between a whole file from `repo dump` and one that was cut."""
    command = (sys.executable, "-m", "standalone", "repo", "snapshots", str(backed_up))
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, b"no space for the output" in ended.stderr) == (9, True)
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("init", "{repo}"), 6, "already"),
        (("backup", "{repo}", "/nowhere/at/all"), 2, "does not exist"),
        (("restore", "{repo}", "latest", "{repo}/out"), 5, "holds no backup"),
        (("check", "/nowhere/at/all"), 10, "is not there"),
        (("check", "/usr"), 5, "There is no repository"),
        (("snapshots", "{repo}", "--key", KEY), 2, "No such option"),
        (("snapshots", "{repo}", "--key-file", "/nowhere"), 2, "cannot be read"),
    ],
)
def test_refusals_have_their_exit_code_and_a_sentence(
    strongroom: Run, repo: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Lost: scripts that must tell a typing error from lost data."""
    outcome = strongroom("repo", *(each.format(repo=repo) for each in arguments))
    assert outcome.code == code
    assert words in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err


def test_what_may_not_be_read_is_no_wrong_usage(
    strongroom: Run, backed_up: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the exit code that says which; the system alone knows what may be read, when it is."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert strongroom("repo", "backup", backed_up, source).code == 0
    assert strongroom("repo", "snapshots", backed_up).code == 0
    too_long = source / ("n" * 300) / "file"  # as good as a folder that is closed to us
    assert strongroom("repo", "backup", backed_up, too_long).code == 12


def test_a_wrong_or_missing_key_is_named(
    strongroom: Run, backed_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the reason, which is no damage."""
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "another")
    assert strongroom("repo", "check", backed_up).code == 8
    monkeypatch.delenv("BACKUP_ENCRYPTION_KEY")
    assert strongroom("repo", "check", backed_up).code == 8
    new = strongroom("repo", "init", tmp_path / "new")
    assert (new.code, "There is no key" in new.err) == (8, True)
    assert not (tmp_path / "new").exists()


def test_a_key_file_is_private_and_never_overwritten(strongroom: Run, tmp_path: Path) -> None:
    """Lost: the key of every backup, to a reader of the disk or to a second call."""
    file = tmp_path / "key"
    assert strongroom("keys", "generate", "--out", file).code == 0
    key = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert strongroom("keys", "generate", "--out", file).code == 6
    assert file.read_text() == key
    assert strongroom("keys", "writer", "--key-file", file).out.startswith("swk1-")


def test_it_says_its_version(strongroom: Run) -> None:
    """Lost: knowing what to report, and what to upgrade from."""
    outcome = strongroom("--version")
    assert outcome.code == 0
    assert re.fullmatch(r"strongroom \d+\.\d+\.\d+\n", outcome.out)
