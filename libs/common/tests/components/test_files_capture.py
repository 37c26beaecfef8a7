"""What a backup of files takes, leaves out and tells."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from common.components.files import FilesComponent, FilesOptions
from common.errors import CaptureFailed, Invalid
from common.repository.entry import MAX_PATH, Entry, EntryType
from fake_tree import FakeTree

AsNobody = Callable[[Callable[[], Any]], Any]


def take(root: Path, tree: FakeTree | None = None, **options: Any) -> FakeTree:
    tree = tree or FakeTree()
    component = FilesComponent("files", FilesOptions(paths=(str(root),), **options))
    tree.details = component.capture(tree)
    return tree


def below(tree: FakeTree, root: Path) -> set[str]:
    prefix = os.fsencode(root).strip(b"/") + b"/"
    return {os.fsdecode(e.path[len(prefix) :]) for e in tree.taken if e.path.startswith(prefix)}


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_exclude_leaves_out_and_takes_back_in_as_gitignore_does(tmp_path: Path) -> None:
    """Lost: files that a pattern hit by mistake."""
    fill(tmp_path, "a.tmp", "x/b.tmp", "keep.tmp", "cache/big", "x/cache/kept", "x.tmp\n", "file")
    tree = take(tmp_path, exclude=("*.tmp", "!keep.tmp", "/cache/"))
    assert below(tree, tmp_path) == {
        "keep.tmp", "x", "x/cache", "x/cache/kept", "x.tmp\n", "file"
    }  # fmt: skip
    assert tree.details["excluded"] == 3


@pytest.mark.parametrize("inside", ["logs/**", "**/logs/**", "logs/**  "])
def test_one_file_of_a_folder_can_be_taken_back_in(tmp_path: Path, inside: str) -> None:
    """Lost: the one file of a folder that was to be kept."""
    (tmp_path / "logs").mkdir()
    for name in ("logs/keep.txt", "logs/other.txt"):
        (tmp_path / name).write_bytes(b"x")
    tree = take(tmp_path, exclude=(inside, "!keep.txt"))
    assert [Path(os.fsdecode(path)).name for path in tree.data] == ["keep.txt"]


def test_include_takes_only_what_it_names_and_what_leads_there(tmp_path: Path) -> None:
    """Lost: the one folder that was asked for, or the space that the others take."""
    fill(tmp_path, "a/notes.md", "a/b/data", "c/data", "docs/x/y", "docs/x/z.bak")
    (tmp_path / "docs/empty").mkdir()
    tree = take(tmp_path, include=("*.md", "/docs/"), exclude=("*.bak",))
    assert below(tree, tmp_path) == {
        "a", "a/notes.md", "docs", "docs/x", "docs/x/y", "docs/empty"
    }  # fmt: skip


def test_a_pattern_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(Invalid):
        take(Path("/tmp"), exclude=("!",))


@pytest.mark.parametrize("paths", [("missing",), ("there", "missing")])
def test_a_missing_path_fails_the_backup(tmp_path: Path, paths: tuple[str, ...]) -> None:
    """Lost: everything, while each night's backup of an unmounted disk succeeds."""
    fill(tmp_path / "there", "file")
    component = FilesComponent.of("files", [tmp_path / name for name in paths])
    with pytest.raises(CaptureFailed, match="missing"):
        component.capture(FakeTree())


def test_a_component_without_paths_fails_the_backup() -> None:
    with pytest.raises(CaptureFailed):
        FilesComponent.of("files", []).capture(FakeTree())


def test_what_cannot_be_read_is_named_and_the_rest_is_kept(
    open_folder: Path, as_nobody: AsNobody
) -> None:
    """Lost: a night's backup for one file, or a file for years without a word."""
    root = open_folder / "root"
    fill(root, "open", "secret", "closed/inside", "twin")
    (root / "twin again").hardlink_to(root / "twin")
    for name in ("secret", "closed", "twin"):
        (root / name).chmod(0o000)
    tree = as_nobody(lambda: take(root))
    assert below(tree, root) == {"open", "closed"}
    assert len(tree.warnings) == 4
    for name in ("secret", "closed", "twin", "twin again"):
        assert any(name in warning for warning in tree.warnings)


def dig(folder: Path, name: str, depth: int) -> None:
    """Folders within each other, of any length in sum, and a file in the last one."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)


def test_a_path_that_is_too_long_is_named_and_the_rest_is_kept(open_folder: Path) -> None:
    """Lost: root's backup of a whole machine, by any user who makes folders within each other."""
    fill(open_folder, "a", "z")
    dig(open_folder, "m" * 200, MAX_PATH // 201 + 2)
    tree = take(open_folder)
    assert {"a", "z", "m" * 200} <= below(tree, open_folder)
    lengths = [len(entry.path) for entry in tree.taken]
    assert MAX_PATH - 201 <= max(lengths) <= MAX_PATH
    (warning,) = tree.warnings
    assert "mmm is left out: a path of" in warning
    assert take(open_folder, exclude=("m*",)).warnings == []


def test_a_path_that_cannot_be_read_at_all_fails_the_backup(
    open_folder: Path, as_nobody: AsNobody
) -> None:
    """Lost: everything, while each night's backup of a closed folder succeeds."""
    (open_folder / "closed").mkdir(mode=0o000)
    (open_folder / "file").touch(mode=0o000)

    def attempt() -> int:
        for name in ("closed", "file"):
            with pytest.raises(CaptureFailed):
                take(open_folder / name)
        return 1

    assert as_nobody(attempt)


def test_a_socket_is_left_out_and_counted(tmp_path: Path) -> None:
    """Lost: the meaning of a warning, by one for every night and running program."""
    os.mknod(tmp_path / "socket", stat.S_IFSOCK)
    tree = take(tmp_path)
    assert below(tree, tmp_path) == set()
    assert (tree.warnings, tree.details["socket"]) == ([], 1)


def test_a_path_that_is_a_symlink_is_kept_as_such_with_a_word(tmp_path: Path) -> None:
    """Lost: all that the link leads to, without anybody knowing."""
    (tmp_path / "current").symlink_to("release")
    tree = take(tmp_path / "current")
    assert tree.taken[-1].type is EntryType.SYMLINK
    assert "is a symlink" in tree.warnings[0]


@pytest.mark.parametrize("outer", [".", "a", "a/link"])
def test_a_path_that_only_a_symlink_leads_to_from_another_path_is_refused(
    tmp_path: Path, outer: str
) -> None:
    """Lost: all of it, night after night, because by its name it is within the other path."""
    fill(tmp_path, "real/data/precious", "a/file")
    (tmp_path / "a/link").symlink_to("../real")
    paths = [tmp_path / outer, tmp_path / "a/link/data"]
    with pytest.raises(CaptureFailed, match="a/link is a symlink") as refused:
        FilesComponent.of("files", paths).capture(FakeTree())
    assert f"{tmp_path}/real/data" in refused.value.remedy
    FilesComponent.of("files", [tmp_path / "a", tmp_path / "real/data"]).capture(FakeTree())


def test_a_path_within_another_that_is_a_symlink_is_kept_as_such_with_a_word(
    tmp_path: Path,
) -> None:
    """Lost: all that the link leads to, without anybody knowing."""
    (tmp_path / "current").symlink_to("release")
    tree = FakeTree()
    FilesComponent.of("files", [tmp_path, tmp_path / "current"]).capture(tree)
    assert below(tree, tmp_path) == {"current"}
    assert "is a symlink" in tree.warnings[0]


def test_a_path_with_dots_is_what_the_system_takes_it_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the folder beside what a symlink leads to; another one of that name is kept instead."""
    fill(tmp_path, "x/wrong", "far/deep/file", "far/x/right", "x/more/file")
    (tmp_path / "link").symlink_to("far/deep")
    (tmp_path / "far/again").symlink_to("x")
    monkeypatch.chdir(tmp_path / "x")
    for path, real, name in (
        ("../link/../x", "far/x", "right"),
        (tmp_path / "link/../again/right", "far/again/right", ""),
        (tmp_path / "link/../x/../x", "far/x", "right"),
        ("..", ".", "x/wrong"),
        ("./more//.", "x/more", "file"),
    ):
        tree = FakeTree()
        FilesComponent.of("files", [path]).capture(tree)
        assert os.fsencode(tmp_path / real / name).strip(b"/") in {e.path for e in tree.taken}


def test_a_configured_path_with_dots_is_refused() -> None:
    """Lost: the folder that was meant, for another one, where a symlink is before the dots."""
    with pytest.raises(Invalid, match=r"\.\."):
        FilesOptions(paths=("/srv/link/../data",))


class Vandal(FakeTree):
    """Changes the tree while it is read."""

    def __init__(self, act: Callable[[Entry], None]) -> None:
        super().__init__()
        self._act = act

    def add(self, entry: Entry) -> None:
        super().add(entry)
        self._act(entry)


def test_what_vanishes_meanwhile_is_noticed(tmp_path: Path) -> None:
    """Lost: a night's backup for a file that somebody removed."""
    fill(tmp_path, "a", "b", "folder/inside")

    def remove(entry: Entry) -> None:
        if entry.path == os.fsencode(tmp_path).strip(b"/"):
            (tmp_path / "b").unlink()
            (tmp_path / "folder/inside").unlink()
            (tmp_path / "folder").rmdir()

    tree = take(tmp_path, Vandal(remove))
    assert below(tree, tmp_path) == {"a"}
    assert sorted("vanished" in warning for warning in tree.warnings) == [True, True]


def test_a_folder_that_becomes_a_symlink_meanwhile_is_not_followed(tmp_path: Path) -> None:
    """Lost: the secrets of root, to a user whose folder root backs up."""
    fill(tmp_path, "mine/z/file", "secret/file")
    mine = os.fsencode(tmp_path / "mine").strip(b"/")

    def turn(entry: Entry) -> None:
        if entry.path == mine + b"/z":
            (tmp_path / "mine/z").rename(tmp_path / "mine/old")
            (tmp_path / "mine/z").symlink_to(tmp_path / "secret")

    tree = take(tmp_path / "mine", Vandal(turn))
    assert [pieces for pieces in tree.data.values() if pieces] == [[(0, b"mine/z/file")]]


def test_a_folder_that_becomes_a_symlink_before_it_is_opened_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the same, by a user who is quick."""
    fill(tmp_path, "mine/z/file", "secret/file")

    real = os.lstat

    def turn(name: Any, **options: Any) -> os.stat_result:
        status = real(name, **options)
        if name == b"z":
            (tmp_path / "mine/z").rename(tmp_path / "mine/old")
            (tmp_path / "mine/z").symlink_to(tmp_path / "secret")
        return status

    monkeypatch.setattr(os, "lstat", turn)
    tree = take(tmp_path / "mine")
    assert tree.data == {}
    assert "mine/z could not be read" in tree.warnings[0]


def test_another_file_system_is_left_out_on_demand(small_disk: Path) -> None:
    """Lost: the space and the night that a mounted network disk takes."""
    fill(small_disk, "file")
    root = small_disk.parent
    assert below(take(root), root) == {"small", "small/file"}
    assert below(take(root, one_file_system=True), root) == {"small"}


def test_open_files_are_not_left_behind(tmp_path: Path) -> None:
    """Lost: the worker, after some thousands of folders."""
    fill(tmp_path, "a/b/c/file")

    def fail(entry: Entry) -> None:
        if entry.path.endswith(b"c"):
            raise KeyError

    def still_open() -> list[str]:
        found = []
        for each in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # this listing itself, or of another thread
                found.append(str(each.readlink()))
        return [path for path in found if path.startswith(str(tmp_path))]

    take(tmp_path)
    with pytest.raises(KeyError):
        take(tmp_path, Vandal(fail))
    assert still_open() == []
