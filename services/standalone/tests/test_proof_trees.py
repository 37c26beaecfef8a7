"""The comparison behind the proof: it must see whatever a restore can get wrong."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import Cancelled
from standalone.proof.findings import Comparison
from standalone.proof.trees import compare

Harm = Callable[[Path], object]
DAY = 86_400_000_000_000


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A tree, and a copy with everything."""
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "letter").write_bytes(b"dear reader" * 1000)
    (source / "deep" / "odd\nname").touch()
    (source / "link").symlink_to("deep/letter")
    os.link(source / "deep" / "letter", source / "twin")
    (source / "empty").mkdir()
    os.mkfifo(source / "fifo")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", source, copy], check=True)
    return source, copy


def _compare(pair: tuple[Path, Path], began: int | None = None) -> Comparison:
    return compare(*pair, time.time_ns() + DAY if began is None else began, lambda: None)


def test_equal_trees_are_equal(pair: tuple[Path, Path]) -> None:
    """Lost: belief in a proof that cries wolf."""
    found = _compare(pair)
    assert found.ok
    assert found.changed_since == 0
    assert found.compared == "8 entries, 3 files byte by byte"


def _same_size_and_time(copy: Path) -> None:
    letter = copy / "deep" / "letter"
    status = letter.stat()
    letter.write_bytes(b"DEAR reader" * 1000)
    os.utime(letter, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_same_size_and_time, "content"),
        (lambda copy: (copy / "deep" / "letter").chmod(0o600), "mode"),
        (lambda copy: os.utime(copy / "deep", ns=(1, 1)), "mtime_ns"),
        (lambda copy: (copy / "empty").rmdir(), "empty did not come back"),
        (lambda copy: (copy / "deep" / "extra").touch(), "extra was not there"),
        (
            lambda copy: ((copy / "link").unlink(), (copy / "link").symlink_to("elsewhere")),
            "target",
        ),
        (
            lambda copy: (
                (copy / "twin").unlink(),
                shutil.copy2(copy / "deep" / "letter", copy / "twin"),
            ),
            "twins",
        ),
        (lambda copy: ((copy / "fifo").unlink(), (copy / "fifo").touch()), "kind"),
        (lambda copy: os.setxattr(copy / "deep", "user.note", b"x"), "xattrs"),
        (lambda copy: (copy / "deep" / "odd\nname").unlink(), r"odd\nname did not come back"),
    ],
)
def test_every_difference_is_seen(pair: tuple[Path, Path], harm: Harm, words: str) -> None:
    """Lost: a restore that is wrong in this way and is called proven."""
    harm(pair[1])
    found = _compare(pair)
    assert not found.ok
    assert any(words in each for each in found.differences), found.differences


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_wrong_owner_is_seen(pair: tuple[Path, Path]) -> None:
    """Lost: files that their program cannot read after the restore."""
    os.chown(pair[1] / "empty", 1234, 1234)
    assert _compare(pair).differences == ["empty: owner"]


def test_what_changed_after_the_start_says_nothing(pair: tuple[Path, Path]) -> None:
    """Lost: a proof on a folder that is in use."""
    began = time.time_ns() - 50_000_000
    time.sleep(0.1)
    pair[1].joinpath("deep", "letter").write_text("older")
    (pair[0] / "deep" / "letter").write_text("newer")
    (pair[0] / "new").touch()
    shutil.rmtree(pair[0] / "empty")
    (pair[1] / "empty" / "deeper").mkdir()
    later = compare(*pair, began, lambda: None)
    assert later.changed_since > 0
    assert not [
        each for each in later.differences if "letter" in each or "new" in each or "empty" in each
    ]


def test_a_folder_of_our_own_is_left_out(pair: tuple[Path, Path]) -> None:
    """Lost: the proof of a folder that holds the repository itself."""
    (pair[0] / "run" / "packs").mkdir(parents=True)
    status = pair[1].stat()
    os.utime(pair[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    far = time.time_ns() + DAY
    assert not compare(*pair, far, lambda: None).ok
    assert compare(*pair, far, lambda: None, apart=Path("run")).ok


def test_it_can_be_stopped(pair: tuple[Path, Path]) -> None:
    """Lost: Ctrl-C, in the middle of a terabyte."""

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        compare(*pair, 0, stop)


def test_what_cannot_be_read_is_counted(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the proof for a user who may not read everything, which the backup has warned of."""
    status = (pair[1] / "deep").stat()
    (pair[1] / "deep" / "odd\nname").unlink()
    os.utime(pair[1] / "deep", ns=(status.st_atime_ns, status.st_mtime_ns))
    real = os.access

    def refuse(path: Path, mode: int) -> bool:
        return Path(path).name != "odd\nname" and real(path, mode)

    monkeypatch.setattr(os, "access", refuse)
    found = _compare(pair)
    assert (found.unreadable, found.ok) == (1, True)
