"""The comparison that every restore test rests on finds what it must find."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nasty_tree import make_nasty_tree
from trees import compare, extents


def _copy(folder: Path) -> tuple[Path, Path]:
    a, b = folder / "a", folder / "b"
    a.mkdir()
    (a / "file").write_bytes(b"content")
    (a / "link").symlink_to("file")
    (a / "one").write_bytes(bytes(1 << 20))
    (a / "two").hardlink_to(a / "one")
    (a / "folder").mkdir()
    shutil.copytree(a, b, symlinks=True)
    (b / "two").unlink()
    (b / "two").hardlink_to(b / "one")
    for path in (*a.iterdir(), a):
        status = path.lstat()
        os.utime(b / path.relative_to(a), ns=(0, status.st_mtime_ns), follow_symlinks=False)
    return a, b


def _unlink_twin(b: Path) -> None:
    shutil.copy2(b / "one", b / "new")
    (b / "new").rename(b / "two")


def _punch(b: Path) -> None:
    with (b / "one").open("r+b") as file:
        file.truncate(0)
        file.truncate(1 << 20)


def _retarget(b: Path) -> None:
    (b / "link").unlink()
    (b / "link").symlink_to("elsewhere")


def _turn_into_file(b: Path) -> None:
    (b / "folder").rmdir()
    (b / "folder").touch()


CHANGES: dict[str, Callable[[Path], object]] = {
    "file: content": lambda b: (b / "file").write_bytes(b"c0ntent"),
    "file: size": lambda b: (b / "file").write_bytes(b"contents"),
    "file: mode": lambda b: (b / "file").chmod(0o604),
    "file: mtime": lambda b: os.utime(b / "file", ns=(0, 1)),
    "file: xattrs": lambda b: os.setxattr(b / "file", "user.x", b"1"),
    "link: target": _retarget,
    "two: links": _unlink_twin,
    "one: holes": _punch,
    "folder: only in a": lambda b: (b / "folder").rmdir(),
    "more: only in b": lambda b: (b / "more").mkdir(),
    "folder: type": _turn_into_file,
}


def test_equal_trees_have_no_difference(tmp_path: Path) -> None:
    assert compare(*_copy(tmp_path)) == []


@pytest.mark.parametrize("expected", CHANGES)
def test_each_difference_is_named(tmp_path: Path, expected: str) -> None:
    """Lost: every failure that a comparison too kind would hide."""
    a, b = _copy(tmp_path)
    CHANGES[expected](b)
    assert any(line.startswith(expected) for line in compare(a, b))


def test_the_nasty_tree_is_equal_to_itself_and_has_holes(tmp_path: Path) -> None:
    """Lost: the proof that sparse files come back sparse, were the tree without any."""
    make_nasty_tree(tmp_path / "tree")
    assert compare(tmp_path / "tree", tmp_path / "tree") == []
    assert len(extents(tmp_path / "tree/contents/holes between")) == 3
