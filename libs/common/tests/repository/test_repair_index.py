"""The index made anew from the packs: whatever happened to it, no backup is lost with it."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from common.repository.prepared import SnapshotMeta
from common.repository.repairing.index import IndexRepair, repair_index
from common.storage.local import LocalDirectory
from mortal import Killed, Mortal
from past import FIRST, SECOND, Two
from vault import Vault, add_files


def repair(vault: Vault, directory: LocalDirectory | None = None) -> IndexRepair:
    reader = vault.reader()
    reader.session.source = directory or vault.directory
    return repair_index(reader.session, reader.keyring())


def whole(vault: Vault, two: Two) -> bool:
    report = vault.reader().check(read_data=True)
    assert report.ok, report.findings
    assert [vault.restore(info.id) for info in two] == [FIRST, SECOND]
    return True


def forget_all(vault: Vault) -> None:
    for name in vault.names("index/"):
        vault.directory.delete(name)


def garble_one(vault: Vault) -> None:
    with vault.hurt(vault.names("index/")[0]) as data:
        data[60] ^= 1


@pytest.mark.parametrize("harm", [forget_all, garble_one, lambda _vault: None])
def test_a_lost_or_damaged_index_comes_back(
    vault: Vault, two: Two, harm: Callable[[Vault], None]
) -> None:
    """Lost: every backup, though every byte of it is there."""
    harm(vault)
    report = repair(vault)
    assert report.listed == len(vault.names("packs/"))
    assert not report.unreadable
    assert whole(vault, two)
    assert vault.backup(FIRST).statistics.added < 5_000  # writers know the packs again


def test_what_prune_retired_stays_retired(vault: Vault, two: Two) -> None:
    """Lost: the space that was about to come back."""
    vault.reader().forget(two[0].id, "")
    retired = vault.reader().prune().retired_packs
    assert retired
    repair(vault)
    packs = vault.reader().fetcher.catalog.packs
    assert sum(pack.retired > 0 for pack in packs) == retired


def test_entries_of_packs_that_are_gone_are_dropped(vault: Vault, two: Two) -> None:
    """Lost: the next backup, which takes a chunk for stored that is not."""
    vault.directory.delete(vault.names("packs/")[0])
    assert repair(vault).dropped == 1
    assert not vault.reader().fetcher.catalog.void


def test_a_pack_with_a_damaged_end_is_listed_as_it_was(vault: Vault, two: Two) -> None:
    """Lost: the sound records of a pack whose last sector is bad."""
    name = vault.names("packs/")[0]
    with vault.hurt(name) as data:
        data[-10] ^= 1
    assert list(repair(vault).unreadable) == [name]
    assert [vault.restore(info.id) for info in two] == [FIRST, SECOND]
    forget_all(vault)
    assert list(repair(vault).unreadable) == [name]
    findings = vault.reader().check(read_data=True).findings
    assert findings


@pytest.mark.parametrize("lives", range(6))
def test_a_repair_killed_anywhere_loses_nothing(vault: Vault, two: Two, lives: int) -> None:
    """Lost: the packs that are in neither the former nor the new index."""
    try:
        repair(vault, Mortal(vault.path, lives))
    except Killed:
        assert lives < 3
    assert whole(vault, two)
    repair(vault)
    assert whole(vault, two)
    assert len(vault.names("index/")) == 1


def test_a_backup_may_run_meanwhile(vault: Vault, two: Two) -> None:
    """Lost: a backup of hours, to a repair that somebody started."""
    with vault.writer().begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            add_files(sink, FIRST)
        repair(vault)
        info = run.finish(SnapshotMeta("b", "b", "other")).commit(1, None)
    assert vault.restore(info.id) == FIRST
    assert whole(vault, two)
