"""Where unchanged files are remembered."""

import os
import pwd
import time
from pathlib import Path

import pytest

from standalone.repositories.remembered import folder_of

DAY = 86_400


def made(folder: Path | None, age: float) -> Path:
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("one.table", "one.records"):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age, time.time() - age))
    return folder


def test_what_no_backup_renews_goes_when_another_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: room in every home, for paths and repositories that are gone for years."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    used, unused = (made(folder_of([name]), age * DAY) for name, age in ((b"a", 89), (b"b", 91)))
    assert folder_of([b"a"]) == used
    assert unused.exists()
    folder_of([b"c"])
    assert not unused.exists()
    assert sorted(path.name for path in used.iterdir()) == ["one.records", "one.table"]


def test_without_a_place_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: every backup of an account without a home, or with one that it may not enter."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + "unusable" * 50)
    assert folder_of([b"a"]) is None
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert folder_of([b"a"]) is None
