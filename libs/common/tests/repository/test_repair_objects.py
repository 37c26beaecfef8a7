"""Repairs: what another copy has comes back, and what no copy has is told and cut out, no more."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from common.repository.checking.treecheck import PackWatch
from common.repository.damage import Damaged
from common.repository.history import SnapshotInfo
from common.repository.reading.fetch import Fetcher
from common.repository.reading.trees import blocks as blocks_of
from common.repository.repairing.fetching import ObjectRepair, repair_objects
from common.repository.repairing.losses import Loss, Sieve
from common.repository.repairing.snapshots import SnapshotRepair, find_losses, repair_snapshots
from common.repository.tree import ContentDamaged
from common.storage.local import LocalDirectory
from mortal import Killed, Mortal
from past import FIRST, SECOND, Two
from vault import Vault, noise

Lost = list[tuple[SnapshotInfo, Loss]]


@pytest.fixture
def other(vault: Vault, two: Two, tmp_path: Path) -> Path:
    """A good copy."""
    shutil.copytree(vault.path, tmp_path / "other")
    return tmp_path / "other"


def fetch(vault: Vault, other: Path, directory: LocalDirectory | None = None) -> ObjectRepair:
    reader = vault.reader()
    reader.session.source = directory or vault.directory
    return repair_objects(reader, LocalDirectory(other))


def whole(vault: Vault, two: Two) -> bool:
    report = vault.reader().check(read_data=True)
    assert report.ok, report.findings
    assert [vault.restore(info.id) for info in two] == [FIRST, SECOND]
    return True


def flip(vault: Vault, name: str) -> None:
    with vault.hurt(name) as data:
        data[len(data) // 2] ^= 1


def remove(vault: Vault, name: str) -> None:
    vault.directory.delete(name)


@pytest.mark.parametrize("harm", [flip, remove])
@pytest.mark.parametrize("folder", ["packs/", "index/", "keys/", "snapshots/"])
def test_damaged_and_missing_objects_come_back(
    vault: Vault, two: Two, other: Path, folder: str, harm: Callable[[Vault, str], None]
) -> None:
    """Lost: a backup that another copy still has."""
    names = vault.names(folder)[:1] if folder == "snapshots/" else vault.names(folder)
    if folder == "snapshots/":
        names = [f"snapshots/{two[0].id}"]  # the newest vanishes unseen by the repository alone
    for name in names:
        harm(vault, name)
    report = fetch(vault, other)
    assert (report.failed, report.remaining) == ({}, [])
    assert set(names) <= set(report.fetched) or report.index
    assert whole(vault, two)
    assert not vault.directory.leftovers()


def test_everything_lost_at_once_comes_back(vault: Vault, two: Two, other: Path) -> None:
    """Lost: a repository whose disk has lost folders, all but its config and newest snapshots."""
    for folder in ("packs", "index", "keys"):
        shutil.rmtree(vault.path / folder)
    assert not fetch(vault, other).remaining
    assert whole(vault, two)


def test_packs_come_back_that_are_damaged_and_in_no_segment(
    vault: Vault, two: Two, tmp_path: Path
) -> None:
    """Lost: a backup that is called damaged when everything of it is there again."""
    before = {folder: vault.names(folder) for folder in ("packs/", "index/")}
    vault.backup({b"small": noise(1_000, 4)}, "third")
    shutil.copytree(vault.path, tmp_path / "other")
    for pack in set(vault.names("packs/")) - set(before["packs/"]):
        with vault.hurt(pack) as data:
            data[60] ^= 1
    for segment in set(vault.names("index/")) - set(before["index/"]):
        remove(vault, segment)
    report = fetch(vault, tmp_path / "other")
    assert (report.failed, report.remaining) == ({}, [])
    assert whole(vault, two)


def test_a_segment_that_nobody_has_is_made_anew(vault: Vault, two: Two, other: Path) -> None:
    """Lost: trust in a repair that ended well, and says that something is left."""
    name = vault.names("index/")[0]
    with vault.hurt(name) as data:
        del data[100:]
    (other / name).unlink()
    report = fetch(vault, other)
    assert (report.failed, report.remaining) == ({}, [])
    assert whole(vault, two)


def test_a_copy_that_is_damaged_too_replaces_nothing(vault: Vault, two: Two, other: Path) -> None:
    """Lost: the sound half of a pack, to a copy that is worse."""
    name = vault.names("packs/")[0]
    flip(vault, name)
    hurt = (vault.path / name).read_bytes()
    (other / name).write_bytes(hurt[:-1])
    report = fetch(vault, other)
    assert list(report.failed) == [name]
    assert [finding.object for finding in report.remaining] == [name]
    assert (vault.path / name).read_bytes() == hurt


@pytest.mark.parametrize("lives", range(5))
def test_a_fetch_killed_anywhere_goes_on(vault: Vault, two: Two, other: Path, lives: int) -> None:
    """Lost: the damaged object and its good copy, both."""
    for name in vault.names("packs/")[:2] + vault.names("keys/")[:1]:
        flip(vault, name)
    try:
        fetch(vault, other, Mortal(vault.path, lives))
    except Killed:
        assert lives < 3
    assert not fetch(vault, other).remaining
    assert whole(vault, two)


def cut_out(
    vault: Vault, *, forget: bool = False, directory: LocalDirectory | None = None
) -> tuple[SnapshotRepair, Lost]:
    reader, lost = vault.reader(), Lost()
    reader.session.source = directory or vault.directory
    return repair_snapshots(reader, lambda *loss: lost.append(loss), forget=forget), lost


def hurt_first(vault: Vault) -> str:
    """Damage a pack that only the first backup needs, in one record."""
    source = vault.reader().snapshot(vault.reader().snapshots()[0].id).source("files")
    names = vault.names("packs/")
    for name in names:
        keep = (vault.path / name).read_bytes()
        with vault.hurt(name) as data:
            data[60] ^= 1
        try:
            for _ in source.contents(source.entries()):
                pass
        except ContentDamaged as error:
            if error.paths == (b"a",):
                return name
        (vault.path / name).write_bytes(keep)
    raise AssertionError


def test_losses_are_told_exactly_and_nothing_is_changed(vault: Vault, two: Two) -> None:
    """Lost: knowing which files to look for elsewhere."""
    name = hurt_first(vault)
    before, lost = vault.names(), Lost()
    report = find_losses(vault.reader(), lambda *loss: lost.append(loss))
    assert [(info.id, loss.component, loss.path, loss.object) for info, loss in lost] == [
        (two[0].id, "files", b"a", name)
    ]
    assert [(info.id, count) for info, count in report.damaged] == [(two[0].id, 1)]
    assert vault.names() == before


def test_a_repaired_backup_has_all_that_is_left(vault: Vault, two: Two) -> None:
    """Lost: the sound files of a damaged backup, one by one through errors."""
    name = hurt_first(vault)
    report, _ = cut_out(vault, forget=True)
    (made,) = report.made
    assert (made.backup_name, report.aside) == ("first (repaired)", [name])
    assert vault.restore(made.id) == {b"same": FIRST[b"same"]}
    assert any("a was lost" in text for text in made.warnings["files"])
    assert {info.id for info in vault.reader().snapshots()} == {two[1].id, made.id}
    assert vault.restore(two[1].id) == SECOND
    check = vault.reader().check(read_data=True)
    assert check.ok, check.findings
    assert vault.directory.leftovers("damaged")


def test_a_new_backup_mends_the_damaged_one_that_was_kept(vault: Vault, two: Two) -> None:
    """Lost: a past backup whose lost chunks are still on the disk that is backed up."""
    hurt_first(vault)
    cut_out(vault)
    assert not vault.reader().check(read_data=True).ok
    vault.backup(FIRST, "again")
    assert vault.restore(two[0].id) == FIRST
    assert vault.reader().check(read_data=True).ok


def test_a_lost_index_alone_costs_no_backup_anything(vault: Vault, two: Two) -> None:
    """Lost: sound files, cut out because nothing listed them."""
    for name in vault.names("index/"):
        remove(vault, name)
    report, lost = cut_out(vault, forget=True)
    assert (report.made, lost) == ([], [])
    assert whole(vault, two)


def test_without_a_repair_nothing_is_made(vault: Vault, two: Two) -> None:
    """Lost: the overview, among copies of sound backups."""
    report, lost = cut_out(vault, forget=True)
    assert (report.made, report.aside, report.forgotten, lost) == ([], [], [], [])


@pytest.mark.parametrize("lives", range(18))
def test_a_repair_of_backups_killed_anywhere_goes_on(vault: Vault, two: Two, lives: int) -> None:
    """Lost: the sound rest of a backup, between its old and its new form."""
    hurt_first(vault)
    try:
        cut_out(vault, forget=True, directory=Mortal(vault.path, lives))
    except Killed:
        assert lives < 17
    assert vault.restore(two[1].id) == SECOND
    cut_out(vault, forget=True)
    names = {info.backup_name: info for info in vault.reader().snapshots()}
    assert set(names) == {"second", "first (repaired)"}
    assert vault.restore(names["first (repaired)"].id) == {b"same": FIRST[b"same"]}
    check = vault.reader().check(read_data=True)
    assert check.ok, check.findings


def test_what_a_lost_part_of_the_tree_held_is_told_by_its_place(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the entries before and after a hole in the tree."""
    info = vault.backup({b"%06d" % number: b"" for number in range(9_000)})
    fetcher = vault.reader().fetcher
    blocks = list(blocks_of(fetcher, info.components[0].tree, lambda _error: None))
    gone, before = blocks[3][0], blocks[2][1].entries[-1].path
    original = Fetcher.chunk

    def chunk(self: Fetcher, chunk_id: bytes, length: int) -> bytes:
        if chunk_id == gone:
            raise Damaged.gone("a pack")
        return original(self, chunk_id, length)

    monkeypatch.setattr(Fetcher, "chunk", chunk)
    parts = list(Sieve(fetcher, PackWatch()).sift(info.components[0]))
    (loss,) = [part for part in parts if isinstance(part, Loss)]
    assert (loss.all_after, loss.path, loss.object) == (True, before, "a pack")
    assert len(parts) == 9_002 - len(blocks[3][1].entries)
