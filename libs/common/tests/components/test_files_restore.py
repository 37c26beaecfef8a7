"""Restores that meet traps, damage, full disks and a sudden end."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from common.components.component import RestoreOutcome, Target
from common.components.files import FilesComponent
from common.components.files.restoring import placing
from common.components.names import ChosenPaths
from common.errors import Conflict, NoSpace, RestoreFailed
from common.repository.entry import Entry, EntryType
from common.repository.tree import ContentDamaged
from fake_tree import FakeTree
from nasty_tree import acl, make_nasty_tree
from trees import compare

AsNobody = Callable[[Callable[[], Any]], Any]


def capture(*paths: Path) -> FakeTree:
    tree = FakeTree()
    tree.details = FilesComponent.of("files", paths).capture(tree)
    return tree


def restore(tree: FakeTree, directory: Path) -> RestoreOutcome:
    return FilesComponent.of("files", []).restore(tree, Target(directory=directory))


def built(*entries: Entry, content: bytes = b"owned") -> FakeTree:
    tree = FakeTree()
    for entry in entries:
        tree.taken.append(entry)
        if entry.type is EntryType.FILE:
            tree.data[entry.path] = [(0, content)]
    return tree


def test_a_symlink_planted_at_the_target_is_not_followed(tmp_path: Path) -> None:
    """Lost: any file of the machine, to whoever can write to the target."""
    outside, target = tmp_path / "outside", tmp_path / "target"
    for folder in (outside, target):
        folder.mkdir()
    (outside / "passwd").write_text("precious")
    (target / "a").symlink_to(outside)
    (target / "b").symlink_to(outside / "passwd")
    tree = built(
        Entry(b"a", EntryType.DIRECTORY, mode=0o755),
        Entry(b"a/passwd", EntryType.FILE, size=5),
        Entry(b"b", EntryType.FILE, size=5),
    )
    restore(tree, target)
    assert (outside / "passwd").read_text() == "precious"
    assert [path.name for path in outside.iterdir()] == ["passwd"]
    assert (target / "a/passwd").read_text() == (target / "b").read_text() == "owned"


def test_a_symlink_restored_before_is_not_followed(tmp_path: Path) -> None:
    """Lost: any file of the machine, to whoever can write a snapshot."""
    (tmp_path / "outside").mkdir()
    tree = built(
        Entry(b"a", EntryType.SYMLINK, target=b"../outside"),
        Entry(b"a/file", EntryType.FILE, size=5),
        Entry(b"a/folder", EntryType.DIRECTORY, mode=0o777),
    )
    restore(tree, tmp_path / "target")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_symlink_put_in_while_a_restore_runs_is_not_followed(tmp_path: Path) -> None:
    """Lost: any file of the machine, to a user whose folder root restores."""
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()

    class Turning(FakeTree):
        def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, Any]]:
            for piece in super().contents(entries):
                with suppress(OSError):  # another process of this restore was quicker
                    if not (target / "a").is_symlink():
                        (target / "a").rename(target / "moved")
                        (target / "a").symlink_to(outside)
                yield piece

    tree = Turning()
    tree.taken = [
        Entry(b"a", EntryType.DIRECTORY, mode=0o700),
        Entry(b"a/file", EntryType.FILE, size=5),
        Entry(b"b", EntryType.FILE, size=5),
        Entry(b"c", EntryType.HARDLINK, target=b"a/file"),
    ]
    tree.data = {b"a/file": [(0, b"owned")], b"b": [(0, b"owned")]}
    restore(tree, target)
    assert list(outside.iterdir()) == []


def test_in_place_only_trusted_symlinks_lead_to_the_source(tmp_path: Path) -> None:
    """Lost: a restore where /home is a link, or the safety where users make links."""
    (tmp_path / "real/root").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/root/file").write_text("kept")
    tree = capture(tmp_path / "link/root")
    (tmp_path / "real/root/file").write_text("changed")
    component = FilesComponent.of("files", [tmp_path / "link/root"])
    component.restore(tree, Target(in_place=True))
    assert (tmp_path / "real/root/file").read_text() == "kept"
    assert (tmp_path / "link").is_symlink()
    if os.geteuid() == 0:
        os.chown(tmp_path / "link", 12345, 12345, follow_symlinks=False)
        with pytest.raises(Conflict):
            component.restore(tree, Target(in_place=True))


def test_in_place_a_lost_folder_is_made_again_with_what_leads_to_it(tmp_path: Path) -> None:
    """Lost: the restore on a new machine, where nothing of the path exists."""
    root = tmp_path / "a/b/root"
    root.mkdir(parents=True)
    (tmp_path / "a").chmod(0o711)
    (root / "file").write_text("kept")
    tree = capture(root)
    (root / "file").unlink()
    for folder in (root, root.parent, root.parent.parent):
        folder.rmdir()
    FilesComponent.of("files", [root]).restore(tree, Target(in_place=True))
    assert (root / "file").read_text() == "kept"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o711


def test_damage_is_named_and_everything_else_comes_back(tmp_path: Path) -> None:
    """Lost: all the intact files, for the sake of a damaged one."""
    make_nasty_tree(tmp_path / "source")
    tree = capture(tmp_path / "source")
    here = os.fsencode(tmp_path / "source").strip(b"/")
    tree.damaged = {here + b"/contents/text", here + b"/links/a/second"}
    with pytest.raises(ContentDamaged, match="contents/text"):
        restore(tree, tmp_path / "target")
    difference = compare(tmp_path / "source", tmp_path / "target" / os.fsdecode(here))
    missing = {"contents/text", "links/a/second", "links/m-first", "links/z/third"}
    names = {line.partition(":")[0] for line in difference}
    assert names == missing | {r"links/\xfffourth".replace("\\", "\\\\")}


def test_a_full_disk_is_said_to_be_full_and_leaves_no_half_file(
    small_disk: Path, tmp_path: Path
) -> None:
    """Lost: the reason, and the certainty that what has a name is whole."""
    (tmp_path / "source").mkdir()
    for number in range(8):
        (tmp_path / f"source/{number}").write_bytes(os.urandom(300_000))
    with pytest.raises(NoSpace, match="full"):
        restore(capture(tmp_path / "source"), small_disk / "target")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_kill_in_place_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    """Lost: both the old and the new content, when the machine goes down in a restore."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / f"{number}").write_bytes(b"new" * 100_000)
    tree = capture(source)
    for number in range(40):
        (source / f"{number}").write_bytes(b"old")

    class Stopping(FakeTree):
        def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, Any]]:
            for piece in super().contents(entries):
                if piece[0].path.endswith(b"/30"):
                    signal.pause()  # until this process goes with its parent
                yield piece

    def sizes() -> set[int]:
        return {(source / f"{number}").stat().st_size for number in range(40)}

    tree.__class__ = Stopping
    child = os.fork()
    if child == 0:
        FilesComponent.of("files", [source]).restore(tree, Target(in_place=True))
        os._exit(0)
    give_up = time.monotonic() + 60
    while sizes() == {3} and time.monotonic() < give_up:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert sizes() == {3, 300_000}
    tree.__class__ = FakeTree
    FilesComponent.of("files", [source]).restore(tree, Target(in_place=True))
    assert sizes() == {300_000}


def test_a_folder_with_content_is_never_removed_for_a_file(tmp_path: Path) -> None:
    """Lost: whatever was put there since the backup."""
    (tmp_path / "source").write_text("a file")
    tree = capture(tmp_path / "source")
    (tmp_path / "source").unlink()
    (tmp_path / "source").mkdir()
    (tmp_path / "source/newer").write_text("precious")
    with pytest.raises(RestoreFailed, match="not empty"):
        FilesComponent.of("files", [tmp_path / "source"]).restore(tree, Target(in_place=True))
    assert (tmp_path / "source/newer").read_text() == "precious"


def test_without_rights_all_but_owners_and_devices_comes_back(
    open_folder: Path, as_nobody: AsNobody
) -> None:
    """Lost: a restore by an ordinary account, or its safety from setuid files."""
    make_nasty_tree(open_folder / "source")
    tree = capture(open_folder / "source")
    outcome = as_nobody(lambda: restore(tree, open_folder / "target"))
    here = open_folder / "target" / (open_folder / "source").relative_to("/")
    differences = compare(open_folder / "source", here, ignore={"owner"})
    allowed = ("privileged/", "modes/file 2755", "modes/file 4755", "modes/folder 2775: mode")
    assert [line for line in differences if not line.startswith(allowed)] == []
    assert not (here / "modes/file 4755").stat().st_mode & 0o4000
    told = " ".join(outcome.warnings)
    for reason in ("owner not restored", "device not restored", "attribute (security)"):
        assert reason in told


def test_a_target_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    tree = built(Entry(b"a", EntryType.FILE, size=5))
    (tmp_path / "file").touch()
    with pytest.raises(RestoreFailed):
        restore(tree, tmp_path / "file")
    with pytest.raises(RestoreFailed):
        FilesComponent.of("files", []).restore(tree, Target())
    tree.details = {"roots": [f"{tmp_path}/file/sub/root"]}
    below_a_file = FilesComponent.of("files", [tmp_path / "file/sub/root"])
    with pytest.raises(RestoreFailed):
        below_a_file.restore(tree, Target(in_place=True))


def test_a_target_that_is_a_symlink_is_refused_with_what_it_leads_to(tmp_path: Path) -> None:
    """Lost: any folder, to whoever makes a link first; or why one's own is not followed."""
    (tmp_path / "link").symlink_to("folder")
    tree = built(Entry(b"a", EntryType.FILE, size=5))
    for _ in range(2):
        with pytest.raises(RestoreFailed, match=r"link is a symlink.* leads to") as refusal:
            restore(tree, tmp_path / "link")
        assert str(tmp_path / "folder") in str(refusal.value)
        assert not (tmp_path / "folder/a").exists()
        (tmp_path / "folder").mkdir(exist_ok=True)


def test_a_link_without_its_content_is_told(tmp_path: Path) -> None:
    """Lost: the truth about a name whose content was unreadable at the time of the backup."""
    tree = built(Entry(b"link", EntryType.HARDLINK, target=b"gone", mtime_ns=7))
    outcome = restore(tree, tmp_path / "target")
    assert outcome.warnings == ("its content is not in the backup: link",)


def test_a_selection_in_place_leaves_the_folders_around_it_as_they_are(tmp_path: Path) -> None:
    """Lost: the current modes of folders around the one file that was needed."""
    (tmp_path / "root/folder").mkdir(parents=True)
    (tmp_path / "root/folder/file").write_text("old")
    tree = capture(tmp_path / "root")
    (tmp_path / "root/folder").chmod(0o750)
    (tmp_path / "root/folder/file").write_text("new")
    component = FilesComponent.of("files", [tmp_path / "root"])
    component.restore(tree, Target(in_place=True), ChosenPaths([f"{tmp_path}/root/folder/file"]))
    assert (tmp_path / "root/folder").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "root/folder/file").read_text() == "old"


def test_what_a_folder_gives_to_new_files_is_taken_off(tmp_path: Path) -> None:
    """Lost: secrecy, where the target's folder opens everything made in it to somebody else."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir(0o755)
    target.mkdir()
    for number in range(3):
        (source / f"{number}").write_text("secret")
    try:
        os.setxattr(target, "system.posix_acl_default", acl(named_user=4711))
    except OSError:
        pytest.skip("the file system has no access lists")
    restore(capture(source), target)
    assert not compare(source, target / source.relative_to("/"))


def test_more_folders_than_are_remembered_come_back_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the modes and times of all folders of a very large tree."""
    monkeypatch.setattr(placing, "REMEMBERED", 1)
    source = tmp_path / "source"
    for number in range(3):
        (source / f"{number}/inside").mkdir(parents=True)
        (source / f"{number}/inside").chmod(0o500 + number)
        os.utime(source / f"{number}", ns=(number, number))
    restore(capture(source), tmp_path / "target")
    assert not compare(source, tmp_path / "target" / source.relative_to("/"))
