"""Damage: each is found, named with what it affects, and everything else still restores."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress

import pytest

from common.crypto.hpke import PrivateKey
from common.errors import Corrupt, WrongKey
from common.repository.checking import packcheck
from common.repository.checking.findings import CheckReport
from common.repository.entry import Entry
from common.repository.format.config import RepositoryConfig
from common.repository.history import Head, SnapshotInfo
from common.repository.objects import verify_object
from common.repository.opening import open_reader
from common.repository.reading.source import ComponentSource
from common.repository.tree import ContentDamaged
from past import FIRST, SECOND, Two
from vault import Vault

Hurt = Callable[[Vault, str], None]


@pytest.fixture(autouse=True)
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of 64 KiB are read in parts, as larger ones are."""
    monkeypatch.setattr(packcheck, "STRETCH", 30_000)


def check(
    vault: Vault,
    *,
    read_data: bool = True,
    snapshots: Collection[str] | None = None,
    heads: Mapping[str, Head] | None = None,
) -> CheckReport:
    return vault.reader().check(read_data=read_data, snapshots=snapshots, heads=heads)


def readable(source: ComponentSource) -> Iterator[Entry]:
    """The entries that can be read."""
    with suppress(ContentDamaged):
        yield from source.entries()


def restorable(vault: Vault, info: SnapshotInfo) -> tuple[dict[bytes, bytes], tuple[bytes, ...]]:
    """What of a backup can still be restored, and the paths that cannot."""
    source = vault.reader().snapshot(info.id).source("files")
    files = {entry.path: bytearray(entry.size) for entry in readable(source) if entry.size}
    damaged: tuple[bytes, ...] = ()
    try:
        for entry, offset, piece in source.contents(readable(source)):
            files[entry.path][offset : offset + len(piece)] = piece
    except ContentDamaged as error:
        damaged = error.paths
    return {path: bytes(data) for path, data in files.items()}, damaged


def test_a_sound_repository_has_no_findings(vault: Vault, two: Two) -> None:
    """Else nobody reads the findings any more."""
    report = check(vault)
    assert report.ok, report.findings
    assert report.objects == len(vault.names()) - 1
    assert report.read_bytes == sum(info.size for info in vault.directory.list("packs/"))
    assert check(vault, read_data=False).ok


def damages() -> list[Hurt]:
    """Every way to hurt an object."""

    def flip(vault: Vault, name: str) -> None:
        with vault.hurt(name) as data:
            data[len(data) // 3] ^= 0x10

    def flip_start(vault: Vault, name: str) -> None:
        with vault.hurt(name) as data:
            data[20] ^= 1

    def flip_end(vault: Vault, name: str) -> None:
        with vault.hurt(name) as data:
            data[-1] ^= 1

    def truncate(vault: Vault, name: str) -> None:
        with vault.hurt(name) as data:
            del data[-1:]

    def empty(vault: Vault, name: str) -> None:
        with vault.hurt(name) as data:
            data.clear()

    def extend(vault: Vault, name: str) -> None:
        with vault.hurt(name) as data:
            data.append(0)

    def remove(vault: Vault, name: str) -> None:
        vault.directory.delete(name)

    return [flip, flip_start, flip_end, truncate, empty, extend, remove]


@pytest.mark.parametrize("hurt", damages(), ids=lambda hurt: hurt.__name__)
@pytest.mark.parametrize("folder", ["packs/", "index/", "keys/"])
def test_every_damage_is_found_named_and_contained(
    vault: Vault, two: Two, folder: str, hurt: Hurt
) -> None:
    """Else a restore fails years later, for a reason nobody was told."""
    names = vault.names(folder)
    for name in names:
        keep = (vault.path / name).read_bytes()
        hurt(vault, name)
        report = check(vault)
        named = " ".join(str(finding) + finding.object for finding in report.findings)
        if folder != "index/" or hurt.__name__ != "remove":
            assert name in named
        assert not report.ok
        assert all(finding.affects for finding in report.findings if finding.object == name) or (
            folder == "index/"
        )
        if folder == "index/":
            assert [vault.restore(info.id) for info in two] == [FIRST, SECOND]
        if folder == "packs/":
            _the_rest_restores(vault, two, report)
        (vault.path / name).write_bytes(keep)
        (vault.path / name).chmod(0o600)
    assert check(vault).ok


def _the_rest_restores(vault: Vault, two: Two, report: CheckReport) -> None:
    affected = " ".join(" ".join(finding.affects) for finding in report.findings)
    for info, content in zip(two, (FIRST, SECOND), strict=True):
        restored, damaged = restorable(vault, info)
        for path, data in restored.items():
            if path not in damaged:
                assert data == content[path]
        for path in damaged:
            assert path.decode() in affected
        if f"{info.backup_name}, files" not in affected:
            assert restored == content


def test_a_flipped_byte_affects_only_what_is_near_it(vault: Vault, two: Two) -> None:
    """Else one bad sector costs a whole backup."""
    first, _ = two
    lost = set()
    for name in vault.names("packs/"):
        keep = (vault.path / name).read_bytes()
        with vault.hurt(name) as data:
            data[60] ^= 1
        restored, damaged = restorable(vault, first)
        lost |= set(damaged)
        assert all(restored[p] == FIRST[p] for p in restored if p not in damaged)
        (vault.path / name).write_bytes(keep)
    assert lost


def test_swapped_packs_are_found_without_reading_all(vault: Vault, two: Two) -> None:
    """Else an attacker with the storage exchanges data unseen."""
    one, other = vault.names("packs/")[:2]
    with vault.hurt(one) as a, vault.hurt(other) as b:
        a[:], b[:] = bytes(b), bytes(a)
    for read_data in (True, False):
        objects = {finding.object for finding in check(vault, read_data=read_data).findings}
        assert {one, other} <= objects


@pytest.mark.parametrize("folder", ["keys/", "snapshots/"])
def test_other_swapped_objects_are_found(vault: Vault, two: Two, folder: str) -> None:
    """Else one backup is passed off as another."""
    one, other = vault.names(folder)[:2]
    with vault.hurt(one) as a, vault.hurt(other) as b:
        a[:], b[:] = bytes(b), bytes(a)
    objects = {finding.object for finding in check(vault).findings}
    assert {one, other} <= objects


def test_a_damaged_snapshot_is_found_and_the_others_restore(vault: Vault, two: Two) -> None:
    """Else one bad object hides all backups."""
    first, second = two
    with vault.hurt(f"snapshots/{second.id}") as data:
        data[50] ^= 1
    report = check(vault)
    assert [finding.object for finding in report.findings] == [f"snapshots/{second.id}"]
    assert vault.restore(first.id) == FIRST
    with pytest.raises(Corrupt):
        vault.restore(second.id)


def test_a_removed_snapshot_is_found_from_the_chain(vault: Vault, two: Two) -> None:
    """Else an attacker removes the one good backup unseen."""
    first, second = two
    vault.directory.delete(f"snapshots/{first.id}")
    (finding,) = check(vault).findings
    assert (finding.object, finding.kind) == (f"snapshots/{first.id}", "removed")
    assert finding.affects == ("backup number 1 of the chain 'main/manual'",)
    assert vault.restore(second.id) == SECOND


def test_a_removed_newest_snapshot_is_found_by_heads(vault: Vault, two: Two) -> None:
    """Else a repository that was rolled back looks sound."""
    _, second = two
    vault.directory.delete(f"snapshots/{second.id}")
    assert check(vault).ok
    (finding,) = check(vault, heads={second.chain: Head(2, second.id)}).findings
    assert finding.object == f"snapshots/{second.id}"


def test_chains_witness_each_other(vault: Vault, two: Two) -> None:
    """Else the newest of a chain can be removed as long as nobody kept its id."""
    _, second = two
    vault.backup({}, chain="another")
    vault.directory.delete(f"snapshots/{second.id}")
    (finding,) = check(vault).findings
    assert finding.object == f"snapshots/{second.id}"


def test_a_check_of_one_backup_says_nothing_of_others(vault: Vault, two: Two) -> None:
    """Else the proof of a good backup fails for a bad one."""
    _, second = two
    only_second = vault.reader().check(read_data=True, snapshots=[second.id])
    total = sum(info.size for info in vault.directory.list("packs/"))
    assert only_second.ok
    assert only_second.read_bytes < total
    for name in vault.names("packs/"):
        keep = (vault.path / name).read_bytes()
        vault.directory.delete(name)
        for info in two:
            report = check(vault, snapshots=[info.id])
            affected = any(info.backup_name in str(finding) for finding in check(vault).findings)
            assert report.ok != affected
        (vault.path / name).write_bytes(keep)


def test_a_missing_backup_is_found_when_it_is_asked_for(vault: Vault, two: Two) -> None:
    """Else the verification of a lost backup succeeds."""
    _, second = two
    vault.directory.delete(f"snapshots/{second.id}")
    (finding,) = check(vault, snapshots=[second.id]).findings
    assert finding.kind == "missing"


def test_a_missing_index_is_told_by_the_packs_it_listed(vault: Vault, two: Two) -> None:
    """Else the loss of an index looks like the loss of the data."""
    for name in vault.names("index/"):
        vault.directory.delete(name)
    findings = check(vault).findings
    assert findings
    assert all("in no index segment" in finding.message for finding in findings)
    assert [vault.restore(info.id) for info in two] == [FIRST, SECOND]


def test_every_byte_of_every_object_matters_to_a_keyless_holder(vault: Vault, two: Two) -> None:
    """Else a destination keeps rotten objects and calls them good."""
    chosen = random.Random(0)
    for name in vault.names():
        data = (vault.path / name).read_bytes()
        verify_object(name, [data[:100], data[100:]])
        for place in {0, len(data) - 1, *chosen.choices(range(len(data)), k=20)}:
            bad = bytearray(data)
            bad[place] ^= 1 << chosen.randrange(8)
            with pytest.raises(Corrupt, match=name):
                verify_object(name, [bytes(bad)])
        with pytest.raises(Corrupt):
            verify_object(name, [data[:-1]])
    with pytest.raises(Corrupt):
        verify_object("notes.txt", [b""])


def test_a_changed_config_is_refused(vault: Vault, two: Two) -> None:
    """Else an attacker puts in a public key of his own and reads the next backup."""
    config = RepositoryConfig.parse(vault.directory.read("config"))
    forged = config.next_generation(public_key=PrivateKey.generate().public)
    (vault.path / "config").write_bytes(forged.pack(b"a writer key of the attacker  32"))
    with pytest.raises(Corrupt, match="writer key"):
        RepositoryConfig.parse(vault.directory.read("config")).authenticate(vault.writer_key)


def test_an_old_config_put_back_is_seen(vault: Vault, two: Two) -> None:
    """Else a key that was rotated out comes back unseen, and no other opens what is backed up."""
    newer = RepositoryConfig.parse(old := vault.directory.read("config")).next_generation()
    (vault.path / "config").write_bytes(newer.pack(vault.writer_key))
    vault.backup({}, chain="new")
    (vault.path / "config").write_bytes(old)
    (finding,) = check(vault).findings
    assert (finding.object, finding.kind) == ("config", "rolled back")
    with pytest.raises(Corrupt, match="put back"):
        vault.backup({})


def test_a_wrong_key_is_told_from_damage(vault: Vault) -> None:
    """Else a mistyped key looks like a lost repository."""
    for key in ("another key", None):
        with pytest.raises(WrongKey):
            open_reader(vault.path, key)
