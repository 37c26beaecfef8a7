"""What a mounted repository answers, without mounting it."""

import errno
import stat
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from common.errors import Conflict
from common.repository.browsing.filesystem import FileSystem
from standalone.repositories.mounted import Answers, show
from standalone.repositories.opening import reading

KEY = "correct horse battery staple"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "letter").write_text("dear reader\n" * 9999)
    (folder / "letter").chmod(0o640)
    (folder / "link").symlink_to("letter")
    return folder


@pytest.fixture
def answers(
    strongroom: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Answers:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    assert strongroom("repo", "backup", tmp_path / "repo", source).code == 0
    reader = reading(tmp_path / "repo", None)
    return Answers(FileSystem(reader.fetcher, reader.snapshots(), lambda _: None))


def test_a_mounted_backup_is_what_was_backed_up(answers: Answers, source: Path) -> None:
    """Lost: the one file that somebody looked for among the backups."""
    latest = f"/{answers.readlink('/latest')}/files{source}"
    assert sorted(answers.readdir(latest, 0)) == [".", "..", "letter", "link"]
    found, real = answers.getattr(f"{latest}/letter"), (source / "letter").stat()
    assert stat.filemode(found["st_mode"]) == "-rw-r-----"
    assert (found["st_size"], found["st_mtime"]) == (real.st_size, real.st_mtime_ns)
    assert stat.S_ISDIR(answers.getattr(latest)["st_mode"])
    assert stat.S_ISDIR(answers.getattr("/")["st_mode"])
    assert answers.readlink(f"{latest}/link") == "letter"
    assert answers.getattr(f"{latest}/link")["st_size"] == len("letter")
    assert answers.listxattr(f"{latest}/letter") == []
    content = (source / "letter").read_bytes()
    assert answers.read(f"{latest}/letter", 4096, 65_536, 0) == content[65_536 : 65_536 + 4096]
    with pytest.raises(OSError, match="no") as error:
        answers.getattr(f"{latest}/no")
    assert error.value.errno == errno.ENOENT


@pytest.mark.parametrize("mounts", [True, False])
def test_an_end_by_ctrl_c_is_no_failure_to_mount(
    answers: Answers, tmp_path: Path, mounts: bool
) -> None:
    """Lost: the difference between what was looked at and what could not be."""

    def fuse(operations: Answers, *_: object, **__: object) -> None:
        if mounts:
            operations.init("/")
        raise RuntimeError(8)

    module = cast(ModuleType, SimpleNamespace(FUSE=fuse))
    (tmp_path / "mount").mkdir()
    with nullcontext() if mounts else pytest.raises(Conflict):
        show(module, answers._files, tmp_path / "mount", name="r", for_others=False)
    with pytest.raises(Conflict, match="not empty"):
        show(module, answers._files, tmp_path, name="r", for_others=False)


def test_a_machine_that_cannot_mount_says_what_it_lacks(
    strongroom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the hint at what is to be installed."""
    monkeypatch.setitem(sys.modules, "mfusepy", None)
    outcome = strongroom("repo", "mount", tmp_path / "repo", tmp_path)
    assert outcome.code == 10
    assert "FUSE" in outcome.err or "mfusepy" in outcome.err
