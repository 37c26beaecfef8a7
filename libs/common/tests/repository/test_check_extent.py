"""What a check says of chunks that are there twice, and how much of the data it reads."""

from uuid import uuid4

import pytest

from common.errors import Invalid
from common.repository import packing, storing
from common.repository.prepared import SnapshotMeta
from vault import Vault, add_files, noise

FILES = {b"a": noise(150_000, 1), b"same": noise(60_000, 2)}


def test_a_second_good_copy_of_a_chunk_is_used_and_known(vault: Vault) -> None:
    """Else a backup counts as lost while all of it is there."""
    with vault.writer().begin(uuid4()) as one, vault.writer().begin(uuid4()) as other:
        for number, run in enumerate((one, other)):
            with run.component("files", "files") as sink:
                add_files(sink, FILES)
            run.finish(SnapshotMeta(uuid4().hex, f"{number}", f"chain {number}")).commit_next()
    infos = vault.reader().snapshots()
    affected = set[str]()
    for name in vault.names("packs/"):
        with vault.hurt(name) as data:
            data[60] ^= 1
        assert [vault.restore(info.id) for info in infos] == [FILES, FILES]
        (finding,) = vault.reader().check(read_data=True).findings
        assert finding.object == name
        affected |= set(finding.affects)
        with vault.hurt(name) as data:
            data[60] ^= 1
    assert affected == {"no file by what other packs hold"}


def test_parts_of_a_check_read_everything_once(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else damage hides for ever in what no part reads."""
    monkeypatch.setattr(packing, "PACK_SIZE", 65_536)
    monkeypatch.setattr(storing, "BUNDLE_SIZE", 20_000)
    vault.backup(FILES)
    packs = vault.names("packs/")
    with vault.hurt(packs[0]) as data:
        data[60] ^= 1
    reports = [vault.reader().check(read_data=True, subset=(n, 3)) for n in (1, 2, 3)]
    assert [finding.object for report in reports for finding in report.findings] == packs[:1]
    total = sum(info.size for info in vault.directory.list("packs/"))
    assert total <= sum(report.read_bytes for report in reports) < 2 * total
    for part in ((0, 3), (4, 3)):
        with pytest.raises(Invalid):
            vault.reader().check(read_data=True, subset=part)
