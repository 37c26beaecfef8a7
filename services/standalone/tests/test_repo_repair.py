"""``strongroom repo repair``: told exactly, mended where it can be, exit code 7 where not."""

import json
import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blake3 import blake3

from common.repository.lock import exclusive, linking

Run = Callable[..., Any]


@pytest.fixture
def repo(strongroom: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "correct horse battery staple")
    source = tmp_path / "source"
    source.mkdir()
    for number in range(4):
        (source / f"file-{number}").write_bytes(os.urandom(400_000))
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    assert strongroom("repo", "backup", tmp_path / "repo", source, "--name", "first").code == 0
    return tmp_path / "repo"


def hurt(repo: Path) -> str:
    """Damage the large pack, near its start: one file."""
    pack = max((repo / "packs").rglob("*"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[1000] ^= 1
    pack.write_bytes(content)
    return pack.name


def test_an_index_that_is_gone_is_made_anew(strongroom: Run, repo: Path) -> None:
    """Lost: every backup, for want of a table of contents."""
    shutil.rmtree(repo / "index")
    assert strongroom("repo", "check", repo).code == 7
    done = json.loads(strongroom("repo", "repair", "index", repo, "--json").out)
    assert (done["found"], done["remaining"]) == (2, [])
    assert strongroom("repo", "check", repo, "--read-data").code == 0


def test_chunks_that_are_gone_from_the_same_files_are_one_line(
    strongroom: Run, repo: Path, tmp_path: Path
) -> None:
    """Lost: what is damaged, in as many lines as a pack has chunks."""
    (tmp_path / "large").write_bytes(os.urandom(9_000_000))
    assert strongroom("repo", "backup", repo, tmp_path / "large", "--name", "second").code == 0
    max((repo / "packs").rglob("*"), key=lambda path: path.stat().st_size).unlink()
    repaired = strongroom("repo", "repair", "index", repo)
    (line,) = repaired.out.splitlines()
    assert f"Affects: second, files: {tmp_path}/large".replace(": /", ": ") in line
    remaining = json.loads(strongroom("repo", "check", repo, "--json").out)["findings"]
    assert line.endswith(f" Likewise {len(remaining) - 1} more.")
    assert strongroom("repo", "check", repo).out == repaired.out


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_what_another_copy_has_comes_back(
    strongroom: Run, repo: Path, tmp_path: Path, address: str
) -> None:
    """Lost: a backup that the second disk still has."""
    shutil.copytree(repo, tmp_path / "other")
    name = hurt(repo)
    shutil.rmtree(repo / "keys")
    other = address.format(tmp_path / "other")
    outcome = strongroom("repo", "repair", "packs", repo, "--from", other, "--json")
    assert outcome.code == 0
    assert name in " ".join(json.loads(outcome.out)["fetched"])
    assert strongroom("repo", "check", repo, "--read-data").code == 0


def test_a_copy_that_is_none_is_refused(strongroom: Run, repo: Path, tmp_path: Path) -> None:
    """Lost: the difference between a typing error and a copy that has nothing either."""
    repair = ("repo", "repair", "packs", repo, "--from")
    assert strongroom(*repair, tmp_path / "nowhere").code == 5
    assert strongroom("repo", "init", tmp_path / "another").code == 0
    assert strongroom(*repair, tmp_path / "another").code == 6


def test_a_config_that_is_gone_comes_back(strongroom: Run, repo: Path, tmp_path: Path) -> None:
    """Lost: a repository of which one kilobyte is gone."""
    shutil.copytree(repo, tmp_path / "other")
    config = repo / "config"
    for harm in (config.unlink, lambda: config.write_bytes(b"")):
        harm()
        assert strongroom("repo", "snapshots", repo).code in {5, 7}
        repair = ("repo", "repair", "packs", repo, "--from", tmp_path / "other")
        assert strongroom(*repair).code == 0
        assert strongroom("repo", "check", repo).code == 0


def test_an_old_config_that_was_put_back_gives_way_to_the_newer_one(
    strongroom: Run, repo: Path, tmp_path: Path
) -> None:
    """Lost: every backup, to keys that were changed since."""
    old = (repo / "config").read_bytes()
    assert strongroom("keys", "rotate", repo).code == 0
    assert strongroom("repo", "backup", repo, tmp_path / "source").code == 0
    shutil.copytree(repo, tmp_path / "other")
    (repo / "config").write_bytes(old)
    assert strongroom("repo", "check", repo).code == 7
    refused = strongroom("repo", "backup", repo, tmp_path / "source")
    assert (refused.code, "an old one was put back" in refused.err) == (7, True)
    assert strongroom("repo", "repair", "packs", repo, "--from", tmp_path / "other").code == 0
    assert strongroom("repo", "backup", repo, tmp_path / "source").code == 0
    assert strongroom("repo", "check", repo, "--read-data").code == 0


def forged(config: bytes) -> bytes:
    """Changed by who has the disk and no key: the checksum is right."""
    changed = config[:-64].replace(b'"generation":1', b'"generation":9') + config[-64:-32]
    return changed + blake3(changed).digest()


def test_a_forged_config_gives_way_to_the_authentic_one(
    strongroom: Run, repo: Path, tmp_path: Path
) -> None:
    """Lost: a repository, to whoever can write to its disk, although there is a good copy."""
    shutil.copytree(repo, tmp_path / "other")
    config = repo / "config"
    config.write_bytes(forged(config.read_bytes()))
    assert strongroom("repo", "check", repo).code == 7
    assert strongroom("repo", "repair", "packs", repo, "--from", tmp_path / "other").code == 0
    assert strongroom("repo", "check", repo).code == 0


def test_a_config_under_a_newer_key_is_not_taken_for_forged(
    strongroom: Run, repo: Path, tmp_path: Path
) -> None:
    """Lost: a change of keys, to a copy of before."""
    shutil.copytree(repo, tmp_path / "other")
    (tmp_path / "new.key").write_text("another battery staple")
    assert strongroom("keys", "change", repo, "--new-key-file", tmp_path / "new.key").code == 0
    after = (repo / "config").read_bytes()
    repair = ("repo", "repair", "packs", repo, "--from", tmp_path / "other")
    assert strongroom(*repair).code == 8
    assert (repo / "config").read_bytes() == after


def test_a_config_is_not_replaced_while_a_snapshot_is_written(
    strongroom: Run, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a chain with one end. Its lock is on ``config``; who locks the next one waits for
    nobody.
    """
    shutil.copytree(repo, tmp_path / "other")
    hurt = bytes(100)
    (repo / "config").write_bytes(hurt)
    impatient = SimpleNamespace(monotonic=count(step=60).__next__, sleep=lambda _: None)
    monkeypatch.setattr("common.repository.lock.time", impatient)
    repair = ("repo", "repair", "packs", repo, "--from", tmp_path / "other")
    for lock in (linking, exclusive):
        with lock(repo):
            assert strongroom(*repair).code == 6
    assert (repo / "config").read_bytes() == hurt
    assert strongroom(*repair).code == 0


def test_what_no_copy_has_is_told_and_cut_out(strongroom: Run, repo: Path, tmp_path: Path) -> None:
    """Lost: three good files, to one bad sector."""
    name = hurt(repo)
    told = strongroom("repo", "repair", "snapshots", repo)
    assert told.code == 7
    (line,) = told.out.splitlines()
    assert line.startswith("first, files: ")
    assert name in line
    outcome = strongroom("repo", "repair", "snapshots", repo, "--write", "--forget", "--json")
    done = json.loads(outcome.out)
    assert outcome.code == 0
    assert [each["name"] for each in done["made"]] == ["first (repaired)"]
    assert len(done["lost"]) == 1
    assert strongroom("repo", "check", repo, "--read-data").code == 0
    assert strongroom("repo", "restore", repo, "latest", tmp_path / "out").code == 0
    restored = [path.name for path in (tmp_path / "out").rglob("file-*")]
    assert len(restored) == 3


def test_a_sound_repository_is_left_alone(strongroom: Run, repo: Path) -> None:
    """Lost: trust in a repair that always finds something."""
    outcome = strongroom("repo", "repair", "snapshots", repo, "--write")
    assert (outcome.code, outcome.out) == (0, "")
    assert "No backup has lost anything" in outcome.err
