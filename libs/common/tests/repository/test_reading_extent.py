"""How much of the data is read, and what is said of chunks that are there twice, or half."""

import errno
from pathlib import Path
from uuid import uuid4

import pytest

from common.errors import Invalid
from common.repository.format.pack import CONTENT
from common.repository.prepared import SnapshotMeta
from common.repository.reading import batching
from common.repository.tree import ContentDamaged
from common.repository.writing import storing
from common.storage.failures import explained
from common.storage.local import LocalDirectory
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


@pytest.mark.usefixtures("small_packs")
def test_parts_of_a_check_read_everything_once(vault: Vault) -> None:
    """Else damage hides for ever in what no part reads."""
    vault.backup(FILES)
    largest = max(vault.directory.list("packs/"), key=lambda each: each.size).name
    with vault.hurt(largest) as data:
        data[60] ^= 1
    reports = [vault.reader().check(read_data=True, subset=(n, 3)) for n in (1, 2, 3)]
    assert [finding.object for report in reports for finding in report.findings] == [largest]
    total = sum(info.size for info in vault.directory.list("packs/"))
    assert total <= sum(report.read_bytes for report in reports) < 2 * total
    for part in ((0, 3), (4, 3)):
        with pytest.raises(Invalid):
            vault.reader().check(read_data=True, subset=part)


class BadSector(LocalDirectory):
    """A folder whose disk cannot read one byte of one object."""

    def __init__(self, path: Path, name: str, place: int) -> None:
        super().__init__(path)
        self._bad = name, place

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """As of the folder, unless that byte is asked for."""
        end = offset + (1 << 30 if length is None else length)
        if name == self._bad[0] and offset <= self._bad[1] < end:
            with explained(self.path, name):
                raise OSError(errno.EIO, "Input/output error")
        return super().read(name, offset, length)


def test_a_bad_sector_costs_what_is_in_it(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a disk that begins to die keeps back all that it could still give."""
    monkeypatch.setattr(storing, "BUNDLE_SIZE", 20_000)
    info = vault.backup(FILES)
    largest = max(vault.directory.list("packs/"), key=lambda each: each.size)
    vault.directory = BadSector(vault.path, largest.name, 60)
    (finding,) = vault.reader().check(read_data=True).findings
    assert (finding.object, len(finding.affects)) == (largest.name, 1)
    source = vault.reader().snapshot(info.id).source("files")
    whole: list[int] = []
    with pytest.raises(ContentDamaged) as error:
        whole.extend(len(piece) for _, _, piece in source.contents(source.entries()))
    assert sum(whole) > 100_000
    (lost,) = error.value.paths
    assert finding.affects[0].endswith(f"files: {lost.decode()}")


class Counting(LocalDirectory):
    """Notes what is read of packs: name, place and bytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read_parts: list[tuple[str, int, int]] = []

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        data = super().read(name, offset, length)
        if name.startswith("packs/"):
            self.read_parts.append((name, offset, len(data)))
        return data


def test_a_chosen_file_is_read_and_no_more(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one letter from a backup in another town costs the transfer of all of it."""
    monkeypatch.setattr(storing, "BUNDLE_SIZE", 20_000)
    info = vault.backup({**FILES, b"letter": b"dear reader"})
    vault.directory = counting = Counting(vault.path)
    source = vault.reader().snapshot(info.id).source("files")
    (batch,) = source.batches(source.entries(lambda path: path == b"letter"))
    assert [bytes(piece) for _, _, piece in batch.pieces(0)] == [b"dear reader"]
    assert sum(size for _, _, size in counting.read_parts) < 25_000


@pytest.mark.parametrize(("window", "most"), [(10_000, 1.0), (60, 1.5)])
@pytest.mark.usefixtures("small_packs")
def test_what_is_in_a_pack_is_read_once_for_all_files_that_need_it(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, window: int, most: float
) -> None:
    """Else a restore reads a pack as often as there are files in it, or backups that shared it."""
    monkeypatch.setattr(batching, "_FIRST", window)
    monkeypatch.setattr(batching, "_REFERENCES", window)
    files = {b"%03d" % number: noise(2_000, number % 300) for number in range(400)}
    for day in range(3):
        files |= {b"%03d" % number: noise(2_000, 1000 + number) for number in range(day, 300, 7)}
        info = vault.backup(files)
    vault.directory = counting = Counting(vault.path)
    reader = vault.reader()
    packs = {pack.name for pack in reader.fetcher.catalog.packs if pack.directory.kind == CONTENT}
    source = reader.snapshot(info.id).source("files")
    entries = list(source.entries())
    counting.read_parts.clear()
    assert sum(len(piece) for _, _, piece in source.contents(entries)) == 800_000
    read = [(name, place) for name, place, _ in counting.read_parts if name in packs]
    assert len(read) <= most * len(set(read))
