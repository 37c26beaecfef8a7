"""All backups as folders, without mounting them."""

import io

import pytest

from common.errors import Corrupt, NotFound
from common.repository.browsing.filesystem import FileSystem
from common.repository.damage import Damaged
from common.repository.entry import Entry, EntryType
from common.repository.run import ComponentRecorder
from vault import Vault, add_files, noise

FILES = {b"folder/large": noise(200_000, 1), b"folder/small": b"few", b"top": b"top\n"}
DATA = noise(9000, 2)
EXTENTS = ((4096, 5000), (12_288, 4000))
SPARSE = bytes(4096) + DATA[:5000] + bytes(12_288 - 9096) + DATA[5000:] + bytes(3712)


@pytest.fixture
def mounted(vault: Vault) -> FileSystem:
    """Two backups; the second has links and a file with holes as well."""

    def fill(sink: ComponentRecorder) -> None:
        add_files(sink, {})
        sink.add(Entry(b"folder", EntryType.DIRECTORY, mode=0o750))
        for path, content in FILES.items():
            sink.add_stream(Entry(path, EntryType.FILE, mtime_ns=5), io.BytesIO(content))
        sink.add(Entry(b"link", EntryType.SYMLINK, target=b"top"))
        sink.add(Entry(b"same", EntryType.HARDLINK, target=b"folder/small"))
        sparse = Entry(b"sparse", EntryType.FILE, size=len(SPARSE), extents=EXTENTS)
        sink.add_regions(sparse, io.BytesIO(DATA))

    vault.backup({b"old": b"old"}, "a/first")
    vault.write(fill, name="second")
    return opened(vault)


def opened(vault: Vault) -> FileSystem:
    reader = vault.reader()
    return FileSystem(reader.fetcher, reader.snapshots(), lambda _: None)


def test_backups_are_folders_and_latest_leads_to_the_newest(mounted: FileSystem) -> None:
    """Else nobody finds the file that the mount was made for."""
    first, second, latest = mounted.names(b"")
    assert first.endswith(b" a-first")
    assert second.endswith(b" second")
    assert (latest, mounted.stat(latest).target) == (b"latest", second)
    assert list(mounted.names(first)) == [b"files"]
    assert list(mounted.names(first + b"/files")) == [b"old"]
    names = {b"folder", b"top", b"link", b"same", b"sparse"}
    assert set(mounted.names(second + b"/files")) == names
    assert set(mounted.names(second + b"/files/folder")) == {b"large", b"small"}
    assert mounted.stat(second + b"/files/folder").mode == 0o750


def test_any_part_of_a_file_is_what_was_backed_up(mounted: FileSystem) -> None:
    """Else a copy out of the mount is not the file."""
    *_, second, _ = mounted.names(b"")
    contents = {**FILES, b"same": b"few", b"sparse": SPARSE}
    for name, content in contents.items():
        path = second + b"/files/" + name
        assert mounted.stat(path).size == len(content)
        for offset, size in ((0, 1 << 20), (0, 1), (4090, 9000), (7, 130_000), (len(content), 5)):
            assert mounted.read(path, offset, size) == content[offset : offset + size]


def test_what_is_not_there_is_not_found(mounted: FileSystem) -> None:
    """Else programs take an error of the disk for a file that does not exist."""
    *_, second, _ = mounted.names(b"")
    for path in (b"no", second + b"/no", second + b"/files/no", second + b"/files/folder/no"):
        with pytest.raises(NotFound):
            mounted.stat(path)
        with pytest.raises(NotFound):
            list(mounted.names(path))
    with pytest.raises(NotFound):
        mounted.read(second + b"/files", 0, 1)


def test_damage_is_an_error_where_it_is_and_nowhere_else(vault: Vault) -> None:
    """Else one bad sector hides a whole backup."""
    vault.backup(FILES)
    told: list[Damaged] = []
    reader = vault.reader()
    mounted = FileSystem(reader.fetcher, reader.snapshots(), told.append)
    (name, _) = mounted.names(b"")
    assert set(mounted.names(name + b"/files")) == {b"top"}
    content, tree = 0, 0
    for pack in vault.names("packs/"):
        with vault.hurt(pack) as data:
            data[60] ^= 1
        try:
            opened(vault).read(name + b"/files/top", 0, 9)
        except Corrupt:
            content += 1
        except NotFound:
            tree += 1
        with vault.hurt(pack) as data:
            data[60] ^= 1
    assert (content, tree) == (1, 1)
    assert not told
