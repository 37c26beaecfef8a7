"""Looking into backups: what is listed, found, compared and measured is what is there."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid, NotFound
from common.repository.browsing import comparing
from common.repository.browsing.comparing import Change, ChangeKind, compare
from common.repository.browsing.listing import Finder, list_folder, lookup, matching
from common.repository.browsing.measuring import Measure, RepositorySize
from common.repository.damage import Damaged
from common.repository.entry import Entry, EntryType
from common.repository.format.blockreader import StoredEntry
from common.repository.history import SnapshotInfo
from common.repository.pruning.prune import PruneSettings
from common.repository.reading.fetch import Fetcher
from common.repository.run import ComponentRecorder
from vault import Vault, noise

FILES = {b"a": b"1", b"d/e/y.txt": b"3", b"d/x.txt": b"2", b"dd": b"4"}


def fail(error: Damaged) -> None:
    raise error


@pytest.fixture
def tree(vault: Vault) -> SnapshotInfo:
    """A backup with folders, files and a hard link."""

    def fill(sink: ComponentRecorder) -> None:
        for path in (b"", b"a", b"d", b"d/e", b"d/e/y.txt", b"d/x.txt", b"dd"):
            if path in FILES:
                sink.add_stream(Entry(path, EntryType.FILE), io.BytesIO(FILES[path]))
            else:
                sink.add(Entry(path, EntryType.DIRECTORY))
        sink.add(Entry(b"twin", EntryType.HARDLINK, target=b"d/x.txt"))

    return vault.write(fill)


def test_a_folder_lists_what_is_in_it(vault: Vault, tree: SnapshotInfo) -> None:
    """Lost: looking before restoring."""
    fetcher = vault.reader().fetcher

    def paths(folder: bytes, *, recursive: bool = False) -> list[bytes]:
        (part,) = tree.components
        found = list_folder(fetcher, part, folder, fail, recursive=recursive)
        return [entry.path for entry in found]

    assert paths(b"") == [b"a", b"d", b"dd", b"twin"]
    assert paths(b"d") == [b"d/e", b"d/x.txt"]
    assert paths(b"d", recursive=True) == [b"d/e", b"d/e/y.txt", b"d/x.txt"]
    assert paths(b"a") == [b"a"]
    with pytest.raises(NotFound):
        paths(b"nothing")


def test_one_file_is_looked_up(vault: Vault, tree: SnapshotInfo) -> None:
    """Lost: getting one file out by its name, also by its second name."""
    reader = vault.reader()
    (part,) = tree.components
    source = reader.snapshot(tree.id).source("files")
    for path in (b"d/x.txt", b"twin"):
        entry = lookup(reader.fetcher, part, path)
        assert b"".join(source.stream(entry)) == b"2"
    with pytest.raises(NotFound):
        lookup(reader.fetcher, part, b"x.txt")
    with pytest.raises(Invalid):
        lookup(reader.fetcher, part, b"d")


def test_entries_are_found_by_name_or_path_in_every_backup(
    vault: Vault, tree: SnapshotInfo
) -> None:
    """Lost: the backup that still has the file that somebody deleted."""
    later = vault.backup({b"d/x.txt": b"22", b"z": b""}, chain="later")
    backups = vault.reader().snapshots()

    def hits(pattern: str) -> list[tuple[str, bytes]]:
        finder = Finder(vault.reader().fetcher, matching(pattern), fail)
        return [(found.snapshot.id, found.entry.path) for found in finder.search(backups * 2)]

    both = [(tree.id, b"d/x.txt"), (later.id, b"d/x.txt")]
    assert hits("x.*") == both * 2
    assert hits("/d/x.txt") == both * 2
    assert hits("*/y.txt") == [(tree.id, b"d/e/y.txt")] * 2
    assert hits("X.TXT") == []
    assert hits("/x.txt") == hits("./x.txt") == []
    assert hits("/dd") == hits("./dd") == hits("dd/") == [(tree.id, b"dd")] * 2
    assert hits("/d//./x.*") == both * 2


def changes(vault: Vault, before: SnapshotInfo, after: SnapshotInfo) -> dict[bytes, ChangeKind]:
    fetcher = vault.reader().fetcher
    found = compare(fetcher, before.components[0], after.components[0], fail)
    return {change.path: change.kind for change in found}


def test_a_comparison_tells_every_kind_of_change(vault: Vault) -> None:
    """Lost: seeing what a week has done to the data."""
    before = vault.backup({b"gone": b"", b"grown": b"1", b"same": noise(9000)})
    after = vault.backup({b"grown": b"22", b"new": b"", b"same": noise(9000)})
    assert changes(vault, before, after) == {
        b"gone": ChangeKind.REMOVED,
        b"grown": ChangeKind.CONTENT,
        b"new": ChangeKind.ADDED,
    }
    assert changes(vault, after, after) == {}
    fetcher = vault.reader().fetcher
    alone = list(compare(fetcher, None, after.components[0], fail))
    assert {change.kind for change in alone} == {ChangeKind.ADDED}


def test_metadata_alone_is_told_apart(vault: Vault) -> None:
    """Lost: the difference between a changed file and a changed owner."""

    def fill(mode: int) -> SnapshotInfo:
        entry = Entry(b"a", EntryType.FILE, mode=mode)
        return vault.write(lambda sink: sink.add_stream(entry, io.BytesIO(b"1")))

    assert changes(vault, fill(0o600), fill(0o644)) == {b"a": ChangeKind.METADATA}


def test_a_file_whose_names_were_regrouped_has_its_content(vault: Vault) -> None:
    """Lost: the few changed files, among all that a removed or an earlier name says are others."""

    def fill(files: dict[bytes, bytes], links: dict[bytes, bytes]) -> SnapshotInfo:
        def write(sink: ComponentRecorder) -> None:
            for path in sorted(files.keys() | links.keys()):
                if path in files:
                    sink.add_stream(Entry(path, EntryType.FILE), io.BytesIO(files[path]))
                else:
                    sink.add(Entry(path, EntryType.HARDLINK, target=links[path]))

        return vault.write(write)

    before = fill({b"b": b"1", b"e": b"2", b"f": b"1"}, {b"c": b"b", b"d": b"b"})
    after = fill({b"a": b"1", b"d": b"3", b"e": b"2"}, {b"b": b"a", b"c": b"a", b"f": b"e"})
    assert changes(vault, before, after) == {
        b"a": ChangeKind.ADDED,
        b"b": ChangeKind.METADATA,
        b"c": ChangeKind.METADATA,
        b"d": ChangeKind.CONTENT,
        b"f": ChangeKind.CONTENT,
    }


def test_what_two_trees_share_is_not_read(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: the comparison of two large backups in seconds."""
    many = {b"%06d" % number: b"" for number in range(20_000)}
    before, after = vault.backup(many), vault.backup({**many, b"010000x": b""})
    fetcher = vault.reader().fetcher
    read: list[bytes] = []
    original = Fetcher.chunk

    def counted(self: Fetcher, chunk_id: bytes, length: int) -> bytes:
        read.append(chunk_id)
        return original(self, chunk_id, length)

    monkeypatch.setattr(Fetcher, "chunk", counted)
    found = list(compare(fetcher, before.components[0], after.components[0], fail))
    assert [change.path for change in found] == [b"010000x"]
    assert len(read) <= 4
    assert before.components[0].tree.size > 200_000


def entries(numbers: set[int], mode: int) -> Iterator[StoredEntry]:
    paths = sorted((b"%d/%d" % (n % 3, n) for n in numbers), key=lambda path: path.split(b"/"))
    return (StoredEntry(path, EntryType.FILE, mode=mode) for path in paths)


@given(left=st.sets(st.integers(0, 40)), right=st.sets(st.integers(0, 40)))
def test_a_comparison_in_little_memory_is_right(left: set[int], right: set[int]) -> None:
    """Lost: entries that are told as removed and as added, where they only changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "_MOST_OPEN", 2)
        found: list[Change] = list(
            comparing._Matching().run(entries(left, 0o600), entries(right, 0o644))
        )
    kinds = {int(change.path.split(b"/")[1]): change.kind for change in found}
    assert len(found) == len(kinds)
    assert kinds == {
        **dict.fromkeys(left - right, ChangeKind.REMOVED),
        **dict.fromkeys(right - left, ChangeKind.ADDED),
        **dict.fromkeys(left & right, ChangeKind.METADATA),
    }


def measure(vault: Vault) -> RepositorySize:
    packs = sum(info.size for info in vault.directory.list("packs/"))
    reader = vault.reader()
    return Measure(reader.fetcher, fail).run(reader.snapshots(), packs, 0, waste=0.25)


def test_sizes_add_up(vault: Vault) -> None:
    """Lost: knowing what a backup costs, and which one to forget."""
    shared, mine, yours = noise(40_000, 1), noise(30_000, 2), noise(20_000, 3)
    vault.backup({b"a": mine, b"s": shared})
    vault.backup({b"b": yours, b"s": shared, b"t": shared})
    found = measure(vault)
    first, second = found.backups
    assert (first.size, second.size) == (70_000, 100_000)
    assert 30_000 < first.unique < 31_000
    assert 20_000 < second.unique < 21_000
    assert found.size == 170_000
    assert found.needed == 90_000
    assert 90_000 < found.needed_stored < found.packs
    assert 200 < found.trees < found.packs - found.needed_stored
    assert 1.88 < found.deduplication < 1.89
    assert 0.98 < found.compression < 1.02
    assert found.waste == found.prunable == 0


def test_names_are_no_data(vault: Vault) -> None:
    """Lost: the ratio that one buys disks by, where files are small and many."""
    vault.backup({b"f%05d" % number: b"%d" % number for number in range(2000)})
    found = measure(vault)
    assert found.deduplication == 1
    assert found.trees > 10_000


def test_what_a_killed_run_left_takes_room(vault: Vault) -> None:
    """Lost: knowing where the room of a disk has gone."""
    vault.backup({b"a": b"1"})
    before, listed = measure(vault), vault.names("index/")
    killed = vault.backup({b"a": noise(200_000, 1)})
    for name in {f"snapshots/{killed.id}", *vault.names("index/")} - set(listed):
        vault.directory.delete(name)
    after = measure(vault)
    assert after.unlisted == after.packs - before.packs > 200_000
    assert (before.unlisted, after.needed) == (0, before.needed)


@pytest.mark.usefixtures("small_packs")
def test_waste_is_what_prune_gives_back(vault: Vault) -> None:
    """Lost: knowing beforehand whether pruning is worth it."""
    gone = vault.backup({b"a": noise(300_000, 1), b"same": noise(100_000, 2)})
    vault.backup({b"b": noise(200_000, 3), b"same": noise(100_000, 2)})
    vault.reader().forget(gone.id, "")
    found = measure(vault)
    assert found.waste >= found.prunable > 250_000
    before = sum(info.size for info in vault.directory.list("packs/"))
    vault.reader().prune(replace(PruneSettings(), grace=PruneSettings().grace * 0))
    after = sum(info.size for info in vault.directory.list("packs/"))
    assert abs(before - after - found.prunable) < 5_000


@pytest.mark.parametrize("lost", [0, 1, slice(None)])
def test_sizes_are_the_same_without_a_part_of_the_index(vault: Vault, lost: int | slice) -> None:
    """Lost: the numbers of a repository, and with them its worth, on the day it is damaged."""
    vault.backup({b"a": noise(30_000, 1), b"s": noise(40_000, 2)})
    vault.backup({b"b": noise(20_000, 3), b"s": noise(40_000, 2)})
    whole, index = measure(vault), vault.names("index/")
    for name in index[lost] if isinstance(lost, slice) else [index[lost]]:
        vault.directory.delete(name)
    assert measure(vault) == whole
