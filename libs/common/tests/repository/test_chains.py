"""Chains of snapshots: a deletion on record is told from a removal."""

import pytest

from common.errors import NotFound
from common.repository.checking.chain import verify_chains
from common.repository.format.snapshot import Link, Snapshot, Witness
from common.repository.history import Head
from format_samples import KEYS, NOW
from vault import CHAIN, Vault, noise


def chain(*links: tuple[str, int, str | None]) -> dict[str, Snapshot]:
    """Snapshots of one chain by id, as (id, counter, previous)."""
    return {
        name: Snapshot("backup", KEYS.repository, 1, Link("c", counter, previous), NOW)
        for name, counter, previous in links
    }


@pytest.mark.parametrize(
    ("links", "heads", "found"),
    [
        ([("a", 1, None), ("b", 2, "a"), ("c", 3, "b")], {}, []),
        ([("b", 2, "a"), ("c", 3, "b")], {}, [("a", "removed")]),
        ([("a", 1, None), ("c", 3, "b")], {}, [("b", "removed")]),
        ([("d", 4, "c")], {}, [("c", "removed"), ("1 to 2", "removed")]),
        ([("a", 1, None)], {"c": Head(2, "b")}, [("b", "removed")]),
        ([("a", 1, None)], {"c": Head(1, "a")}, []),
        ([], {"gone": Head(1, "a")}, [("a", "removed")]),
        ([("a", 1, None), ("b", 2, "a"), ("x", 2, "a")], {}, [("x", "forked")]),
        ([("a", 1, None), ("b", 2, "x")], {}, [("x", "removed")]),
        ([("z", 2**62, "y")], {}, [("y", "removed"), (f"1 to {2**62 - 2}", "removed")]),
    ],
)
def test_gaps_and_forks_are_found(
    links: list[tuple[str, int, str | None]],
    heads: dict[str, Head],
    found: list[tuple[str, str]],
) -> None:
    """Else a backup is removed or replaced and nobody knows."""
    findings = list(verify_chains(chain(*links), (), heads))
    assert [finding.kind for finding in findings] == [kind for _, kind in found]
    for finding, (name, _) in zip(findings, found, strict=True):
        assert finding.object == f"snapshots/{name}" or name in finding.message


@pytest.mark.parametrize("seen", [("b", "x"), ("x", "b")])
def test_a_removed_backup_whose_place_was_taken_anew_is_found(seen: tuple[str, str]) -> None:
    """Lost: the newest backup of a chain, unseen once the next one in its place is witnessed."""
    snapshots = chain(("a", 1, None), ("b", 2, "a"))
    for counter, witnessed in enumerate(seen, 1):
        link = Link("other", counter, None if counter == 1 else "o1")
        snapshots[f"o{counter}"] = Snapshot(
            "backup", KEYS.repository, 1, link, NOW, (Witness("c", 2, witnessed),)
        )
    (finding,) = verify_chains(snapshots, (), {})
    assert (finding.object, finding.kind) == ("snapshots/x", "removed")


def test_a_removed_backup_whose_place_was_taken_anew_is_found_beside_its_head() -> None:
    """Lost: the same, where what the database knows hides what a witness does."""
    witnessing = Snapshot(
        "backup", KEYS.repository, 1, Link("other", 1, None), NOW, (Witness("c", 1, "x"),)
    )
    snapshots = {**chain(("a", 1, None)), "o1": witnessing}
    (finding,) = verify_chains(snapshots, (), {"c": Head(1, "a")})
    assert finding.object == "snapshots/x"


def test_a_deleted_backup_is_no_finding_and_is_not_listed(vault: Vault) -> None:
    """Else every deletion looks like an attack, or a deleted backup stays on the list."""
    infos = [vault.backup({b"a": noise(5000, n)}, f"backup {n}") for n in range(3)]
    for info in (infos[1], infos[0], infos[2]):
        vault.reader().forget(info.id, "too old", chain="deletions/main")
        assert info.id not in {left.id for left in vault.reader().snapshots()}
        report = vault.reader().check(read_data=True)
        assert report.ok, report.findings
    assert vault.writer().head(CHAIN) == Head(3, infos[2].id)
    vault.backup({b"a": b"next"})
    assert vault.reader().check(read_data=True).ok


def test_a_removed_tombstone_is_found(vault: Vault) -> None:
    """Else removing two objects hides what removing one would show."""
    first = vault.backup({}, "first")
    vault.backup({}, "second")
    vault.reader().forget(first.id, "")
    (tombstone,) = set(vault.names("snapshots/")) - {
        f"snapshots/{info.id}" for info in vault.reader().snapshots()
    }
    vault.directory.delete(tombstone)
    (finding,) = vault.reader().check(read_data=False).findings
    assert finding.object == f"snapshots/{first.id}"


def test_forgetting_twice_is_forgetting_once(vault: Vault) -> None:
    """Else a repeated command fails, or the chain of deletions grows for nothing."""
    info = vault.backup({})
    data = vault.directory.read(f"snapshots/{info.id}")
    vault.reader().forget(info.id, "")
    vault.reader().forget(info.id, "")
    vault.directory.write(f"snapshots/{info.id}", data, owner="killed-in-between")
    assert vault.reader().snapshots() == []
    vault.reader().forget(info.id, "")
    assert len(vault.names("snapshots/")) == 1
    assert vault.reader().head("deletions").counter == 1


def test_what_never_was_cannot_be_forgotten(vault: Vault) -> None:
    """Else a mistyped id is answered with success."""
    with pytest.raises(NotFound):
        vault.reader().forget("0" * 64, "")
