"""A copy, while the repository that it is made of goes on."""

from datetime import timedelta
from pathlib import Path

import pytest

from common.repository.copying.objects import copy_objects
from common.repository.pruning.prune import PruneSettings
from common.storage.local import LocalDirectory
from vault import Keys, Vault, noise

NOW = PruneSettings(grace=timedelta(0))


@pytest.fixture
def target(tmp_path: Path) -> LocalDirectory:
    return LocalDirectory(tmp_path / "target")


def test_what_is_forgotten_meanwhile_is_on_record_in_the_copy(
    vault: Vault, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: trust in a copy, whose check tells of a backup that somebody took away."""
    _, second, _ = (vault.backup({b"a": b"%d" % number}) for number in range(3))

    def forget(phase: str, *_: object, **__: object) -> None:
        if phase == "index":
            vault.reader().forget(second.id, "meanwhile")

    report = copy_objects(vault.session(), target, on_progress=forget)
    assert report.copied == len(vault.names())
    found = Vault(target.path, *keys).reader().check(read_data=True)
    assert found.ok, found.findings


@pytest.mark.usefixtures("small_packs")
def test_what_a_prune_writes_anew_meanwhile_comes_too(
    vault: Vault, target: LocalDirectory, keys: Keys
) -> None:
    """Lost: the copy of a day on which it took longer than the grace of a prune."""
    same = {b"same": noise(100_000, 2)}
    gone = vault.backup({b"a": noise(300_000, 1), **same})
    vault.backup({b"b": noise(300_000, 3), **same})
    vault.reader().forget(gone.id, "")

    def prune(phase: str, done: int, *_: object, **__: object) -> None:
        if phase == "packs" and done < 70_000:
            for _again in range(2):
                vault.reader().prune(NOW)

    assert not copy_objects(vault.session(), target, on_progress=prune).failed
    found = Vault(target.path, *keys).reader().check(read_data=True)
    assert found.ok, found.findings
