"""What goes in comes out: trees of files through capture and restore."""

import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.components.component import RestoreOutcome, Target
from common.components.files import FilesComponent
from common.components.names import ChosenPaths, parse, show
from common.errors import Conflict, NotFound
from common.repository.entry import Entry, EntryType
from fake_tree import FakeTree
from nasty_tree import make_nasty_tree
from trees import compare


def capture(*paths: Path, eager: bool = True) -> FakeTree:
    tree = FakeTree(eager=eager)
    tree.details = FilesComponent.of("files", paths).capture(tree)
    tree.finish()
    return tree


def restore(tree: FakeTree, directory: Path, *selected: str) -> RestoreOutcome:
    select = ChosenPaths(selected) if selected else None
    return FilesComponent.of("files", []).restore(tree, Target(directory=directory), select)


def restored(target: Path, original: Path) -> Path:
    return target / original.relative_to("/")


@pytest.mark.parametrize("eager", [True, False])
def test_everything_about_a_nasty_tree_comes_back(tmp_path: Path, eager: bool) -> None:
    """Lost: whatever attribute of a file the comparison names."""
    source, target = tmp_path / "source", tmp_path / "target"
    make_nasty_tree(source)
    tree = capture(source, eager=eager)
    outcome = restore(tree, target)
    assert compare(source, restored(target, source)) == []
    assert (tree.warnings, outcome.warnings) == ([], ())
    assert outcome.entries == len(tree.taken)
    assert not [path for path in target.rglob("*") if path.name.startswith(".strongroom")]


def test_a_restore_in_place_brings_back_what_was_changed(tmp_path: Path) -> None:
    """Lost: the way back after an accident, on the machine where it happened."""
    source, twin = tmp_path / "source", tmp_path / "twin"
    make_nasty_tree(source)
    tree = capture(source)
    restore(tree, twin)
    (source / "contents/text").write_text("overwritten")
    (source / "contents/large").unlink()
    (source / "folders/empty").rmdir()
    (source / "folders/empty").write_text("now a file")
    (source / "links/m-first").unlink()
    (source / "links/m-first").mkdir()
    os.setxattr(source, "user.new", b"not in the backup")
    (source / "names").chmod(0o711)
    FilesComponent.of("files", [source]).restore(tree, Target(in_place=True))
    assert compare(restored(twin, source), source) == []


def test_a_restore_in_place_over_an_equal_tree_changes_nothing(tmp_path: Path) -> None:
    """Lost: hard links, were a link over itself to leave its temporary name behind."""
    source, twin = tmp_path / "source", tmp_path / "twin"
    make_nasty_tree(source)
    tree = capture(source)
    restore(tree, twin)
    FilesComponent.of("files", [source]).restore(tree, Target(in_place=True))
    assert compare(restored(twin, source), source) == []


def test_a_very_deep_tree_comes_back(tmp_path: Path) -> None:
    """Lost: whatever lies deeper than a process may have open files, or Python calls."""
    folder = tmp_path / "source" / "/".join(["d"] * 1500)
    subprocess.run(["mkdir", "-p", folder], check=True)
    (folder / "file").write_text("deep")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))
    try:
        tree = capture(tmp_path / "source")
        assert tree.warnings == []
        restore(tree, tmp_path / "target")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (restored(tmp_path / "target", folder) / "file").read_text() == "deep"
    for place in (tmp_path / "source", tmp_path / "target"):
        subprocess.run(["rm", "-r", place], check=True)  # pytest's own way is recursive


def test_several_paths_are_kept_apart_and_a_path_within_another_is_kept_once(
    tmp_path: Path,
) -> None:
    """Lost: one of two paths whose last parts have the same name."""
    for name in ("a/data", "b/data", "b/data/inner"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "single").write_text("a path may be a file")
    tree = capture(*(tmp_path / name for name in ("b/data/inner", "a/data", "b/data", "single")))
    restore(tree, tmp_path / "target")
    here = restored(tmp_path / "target", tmp_path)
    for name in ("a/data", "b/data", "b/data/inner"):
        assert compare(tmp_path / name, here / name) == []
    assert (here / "single").read_text() == "a path may be a file"
    assert len({entry.path for entry in tree.taken}) == len(tree.taken)


def test_the_same_tree_gives_the_same_entries_in_the_same_order(tmp_path: Path) -> None:
    """Lost: deduplication of the tree itself, from one backup to the next."""
    source = tmp_path / "source"
    make_nasty_tree(source)
    inside = os.fsencode(source).strip(b"/")  # folders above it change while others test there
    one, other = (
        [entry for entry in capture(source).taken if entry.path.startswith(inside)]
        for _ in range(2)
    )
    assert one == other
    assert len(one) > 300


def test_selected_paths_come_with_the_folders_that_lead_to_them(tmp_path: Path) -> None:
    """Lost: modes and owners of the folders around the one file that was needed."""
    source, target = tmp_path / "source", tmp_path / "target"
    make_nasty_tree(source)
    tree = capture(source)
    restore(tree, target, f"{source}/modes/folder 700/inside", f"{source}/folders/many/7")
    here = restored(target, source)
    assert {path.name for path in here.rglob("*")} == {
        "modes", "folder 700", "inside", "folders", "many", "7"
    }  # fmt: skip
    for name in ("modes", "modes/folder 700", "folders/many"):
        assert (here / name).stat().st_mode == (source / name).stat().st_mode
        assert (here / name).stat().st_mtime_ns == (source / name).stat().st_mtime_ns


def test_a_selected_hard_link_comes_with_the_content_of_its_first_name(tmp_path: Path) -> None:
    """Lost: the content of a file that was selected by another of its names."""
    source, target = tmp_path / "source", tmp_path / "target"
    make_nasty_tree(source)
    tree = capture(source)
    outcome = restore(tree, target, f"{source}/links/z/third", f"{source}/links/m-first")
    here = restored(target, source)
    assert (here / "links/z/third").read_text() == "many names"
    assert (here / "links/m-first").samefile(here / "links/z/third")
    assert (here / "links/z").stat().st_mode == (source / "links/z").stat().st_mode
    assert not (here / "links/a").exists()
    assert outcome.warnings == ()


def test_a_selection_of_nothing_is_an_error(tmp_path: Path) -> None:
    """Lost: the truth, when a mistyped path looks like a successful restore."""
    (tmp_path / "source").mkdir()
    with pytest.raises(NotFound):
        restore(capture(tmp_path / "source"), tmp_path / "target", "/nowhere")


def test_in_place_touches_only_what_is_configured_here(tmp_path: Path) -> None:
    """Lost: any file of the machine, to whoever can write a snapshot."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("old")
    tree = capture(tmp_path / "mine", tmp_path / "other")
    (tmp_path / "other/file").write_text("new")
    mine = FilesComponent.of("files", [tmp_path / "mine"])
    for select in (None, ChosenPaths([f"{tmp_path}/other"]), ChosenPaths([str(tmp_path)])):
        with pytest.raises(Conflict):
            mine.restore(tree, Target(in_place=True), select)
    mine.restore(tree, Target(in_place=True), ChosenPaths([f"{tmp_path}/mine"]))
    assert (tmp_path / "other/file").read_text() == "new"


def test_in_place_what_leads_to_a_path_is_never_replaced(tmp_path: Path) -> None:
    """Lost: the way to everything, to a snapshot that has a file where a link leads."""
    (tmp_path / "real/mine").mkdir(parents=True)
    (tmp_path / "way").symlink_to("real")
    tree = capture(tmp_path / "way/mine")
    way = os.fsencode(tmp_path / "way").strip(b"/")
    tree.taken = [e for e in tree.taken if e.path != way] + [Entry(way, EntryType.FILE)]
    tree.data[way] = []
    with pytest.raises(Conflict):
        FilesComponent.of("files", [tmp_path / "way/mine"]).restore(tree, Target(in_place=True))
    assert (tmp_path / "way").is_symlink()


@pytest.mark.parametrize("kind", [EntryType.FILE, EntryType.DIRECTORY, EntryType.HARDLINK])
def test_in_place_a_snapshot_that_lies_about_its_paths_touches_nothing_else(
    tmp_path: Path, kind: EntryType
) -> None:
    """Lost: the same, by a snapshot of which the list of paths looks right."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "other").write_text("precious")
    tree = capture(tmp_path / "mine")
    other, inside = (os.fsencode(tmp_path / name).strip(b"/") for name in ("other", "mine/x"))
    if kind is EntryType.HARDLINK:
        moment = (tmp_path / "other").stat().st_mtime_ns
        tree.taken.append(Entry(inside, kind, target=other, mtime_ns=moment))
    else:
        tree.taken.append(Entry(other, kind))
    tree.data[other] = []
    with pytest.raises(Conflict):
        FilesComponent.of("files", [tmp_path / "mine"]).restore(tree, Target(in_place=True))
    assert (tmp_path / "other").read_text() == "precious"
    assert list((tmp_path / "mine").iterdir()) == []


NAMES = (
    st.binary(min_size=1, max_size=40)
    .map(lambda raw: os.fsdecode(raw.replace(b"/", b"_").replace(b"\0", b"0")))
    .filter(lambda name: name not in {".", ".."})
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map(tuple), st.binary()))
def test_any_names_and_contents_come_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, ...], bytes]
) -> None:
    """Lost: a file whose name nobody thought of."""
    folder = tmp_path_factory.mktemp("any")
    source = folder / "source"
    source.mkdir()
    for parts, content in files.items():
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            source.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
            source.joinpath(*parts).write_bytes(content)
    restore(capture(source), folder / "target")
    assert compare(source, restored(folder / "target", source)) == []


@given(st.binary().filter(lambda path: b"\0" not in path))
def test_a_shown_path_is_one_printable_line_that_leads_back(path: bytes) -> None:
    """Lost: the way from a listed name to the file, and a log that a file name cannot forge."""
    assert show(path).isprintable()
    assert parse(show(path)) == path


def test_folders_come_before_what_is_in_them(tmp_path: Path) -> None:
    """Lost: everything, to a repository that refuses a child without its folder."""
    make_nasty_tree(tmp_path / "source")
    seen = {b""}
    for entry in capture(tmp_path / "source").taken:
        assert entry.path.rpartition(b"/")[0] in seen
        if entry.type is EntryType.DIRECTORY:
            seen.add(entry.path)
