"""What goes in comes out."""

import io
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from common.errors import Conflict, Invalid
from common.repository.entry import Entry, EntryType, data_size
from common.repository.format.codec import Compression
from common.repository.found import Found, OpenFolder, pack_state
from common.repository.prepared import SnapshotMeta
from common.repository.run import ComponentRecorder
from common.repository.writing import chunklists
from vault import Vault, noise, seen


def test_contents_of_all_sizes_come_back(vault: Vault) -> None:
    """Else an empty, small, large or repeated file is lost."""
    files = {
        b"empty": b"",
        b"one": b"x",
        b"whole": noise(4096),
        b"just cut": noise(4097),
        b"large": noise(300_000),
        b"zeros": bytes(200_000),
        b"twice": noise(300_000),
        b"d/e/f": b"deep",
    }
    info = vault.backup(files)
    assert vault.restore(info.id) == files
    assert info.statistics.size == sum(len(content) for content in files.values())
    assert info.components[0].details == {"made": "by a test"}


def test_metadata_comes_back_exactly(vault: Vault) -> None:
    """Else a restored tree has other modes, owners, times, links or attributes."""
    entries = [
        Entry(b"", EntryType.DIRECTORY, mode=0o1777, uid=5, gid=6, user="ann", group="staff"),
        Entry(b"old", EntryType.FILE, mode=0o4755, uid=2**32 - 1, mtime_ns=-1),
        Entry(b"future", EntryType.FILE, mtime_ns=10**19 + 1),
        Entry(b"link", EntryType.SYMLINK, mode=0o777, target=b"/etc/\xff\n"),
        Entry(b"hard", EntryType.HARDLINK, target=b"old"),
        Entry(b"pipe", EntryType.FIFO),
        Entry(b"null", EntryType.CHARACTER, device=(1, 3)),
        Entry(b"disk", EntryType.BLOCK, device=(259, 70_000)),
        Entry(b"x", EntryType.FILE, xattrs=((b"user.a", b"\0\xff"), (b"user.b", b""))),
        Entry(b"n" * 255 + b"/" + b"\n\x80" * 120, EntryType.DIRECTORY),
    ]

    def fill(sink: ComponentRecorder) -> None:
        for entry in entries:
            sink.add(entry)

    info = vault.write(fill)
    found = list(vault.reader().snapshot(info.id).source("files").entries())
    assert [Entry(*(getattr(e, f) for f in Entry.__slots__)) for e in found] == entries


def test_files_are_read_from_disk(vault: Vault, tmp_path: Path) -> None:
    """Else nothing real is backed up, or not as it is."""
    (tmp_path / "a").write_bytes(noise(100_000))
    found = (tmp_path / "a").stat()
    info = vault.write(lambda sink: sink.add_found([seen(b"a", tmp_path / "a")]))
    assert vault.restore(info.id) == {b"a": noise(100_000)}
    (entry,) = vault.reader().snapshot(info.id).source("files").entries()
    assert entry.mtime_ns == found.st_mtime_ns


def test_holes_stay_holes(vault: Vault, tmp_path: Path) -> None:
    """Else a sparse image fills the disk on restore, or its data lands elsewhere."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(50_000_000)
        for place in (0, 1_000_000, 30_000_000):
            file.seek(place)
            file.write(noise(20_000, place))
    info = vault.write(lambda sink: sink.add_found([seen(b"s", path)]))
    source = vault.reader().snapshot(info.id).source("files")
    (entry,) = source.entries()
    assert entry.size == 50_000_000
    assert data_size(entry) < 200_000
    assert info.statistics.added < 200_000
    assert vault.restore(info.id)[b"s"] == path.read_bytes()
    assert b"".join(source.stream(entry)) == path.read_bytes()


def test_a_file_that_is_all_hole(vault: Vault, tmp_path: Path) -> None:
    """Else a file of zeros comes back empty."""
    path = tmp_path / "hole"
    with path.open("wb") as file:
        file.truncate(10_000_000)
    info = vault.write(lambda sink: sink.add_found([seen(b"h", path)]))
    (entry,) = vault.reader().snapshot(info.id).source("files").entries()
    assert (entry.size, entry.extents) == (10_000_000, ())


@pytest.mark.parametrize("kind", ["gone", "symlink", "fifo", "socket", "folder"])
def test_what_is_no_readable_file_is_left_out_with_a_warning(
    vault: Vault, tmp_path: Path, kind: str
) -> None:
    """Else a vanished file fails the backup, a fifo hangs it, a symlink leads it elsewhere."""
    path = tmp_path / "x"
    path.touch()
    found = seen(b"x", path)
    path.unlink()
    (tmp_path / "secret").write_bytes(b"not to be read")
    if kind == "symlink":
        path.symlink_to(tmp_path / "secret")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK)
    info = vault.write(lambda sink: sink.add_found([found]))
    assert vault.restore(info.id) == {}
    assert info.components[0].warnings == 1
    source = vault.reader().snapshot(info.id).source("files")
    assert "x is left out" in source.warnings()[0]


@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_a_file_that_changes_while_it_is_read_is_kept_with_a_warning(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Else nobody knows that this file may be inconsistent, or the backup fails."""
    path = tmp_path / "busy"
    path.write_bytes(noise(20_000_000))
    preadv = os.preadv
    calls: list[int] = []

    def changing(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        calls.append(offset)
        if len(calls) == 2:
            if change == "grow":
                with path.open("ab") as file:
                    file.write(b"more")
            elif change == "shrink":
                os.truncate(path, 9_000_000)
            else:
                os.utime(path)
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", changing)
    info = vault.write(lambda sink: sink.add_found([seen(b"busy", path)]))
    (content,) = vault.restore(info.id).values()
    assert content == noise(20_000_000)[: len(content)]
    assert len(content) == (9_000_000 if change == "shrink" else 20_000_000)
    assert "busy may not be consistent" in info.warnings["files"][0]


def test_long_lists_are_stored_in_chunks_of_their_own(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the entry of a large file, or the snapshot of many files, grows without bound."""
    monkeypatch.setattr(chunklists, "ROOT_ITEMS", 16)
    content = noise(12_000_000)
    many = {b"%06d" % number: b"%d" % number for number in range(14_000)}
    info = vault.backup({b"large": content, **many})
    tree = info.components[0].tree
    assert tree.level == 1
    assert len(tree.root) <= 16
    restored = vault.restore(info.id)
    assert restored.pop(b"large") == content
    assert restored == many


def test_the_same_content_is_stored_once(vault: Vault) -> None:
    """Else every backup costs as much as the first."""
    content = noise(2_000_000)
    vault.backup({b"a": content})
    again = vault.backup({b"a": content, b"b": content})
    assert again.statistics.added < 10_000
    moved = vault.backup({b"a": noise(500, 1) + content})
    assert moved.statistics.added < 100_000


@pytest.mark.parametrize("compression", ["zstd", "gzip", "lz4", "none"])
def test_every_compression_comes_back(vault: Vault, compression: Compression) -> None:
    """Else a setting makes backups that nobody can read."""
    content = {b"text": b"the same words again and again " * 5000, b"noise": noise(100_000)}
    writer = vault.writer()
    with writer.begin(uuid4(), compression=compression, level=9) as run:
        with run.component("files", "files") as sink:
            for path, data in content.items():
                sink.add_stream(Entry(path, EntryType.FILE), io.BytesIO(data))
        info = run.finish(SnapshotMeta("b", "b", "c")).commit(1, None)
    assert vault.restore(info.id) == content
    assert (info.statistics.stored < 120_000) == (compression != "none")


def test_everything_is_private_whatever_the_umask(vault: Vault) -> None:
    """Else others on the machine read backups, or the service cannot read its own."""
    before = os.umask(0)
    try:
        vault.backup({b"a": noise(100_000)})
    finally:
        os.umask(before)
    for path in vault.path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_sink_refuses_what_a_restore_must_not_do(vault: Vault) -> None:
    """Else a path leads out of the target."""

    def fill(sink: ComponentRecorder) -> None:
        for path in (b"/etc/passwd", b"../x", b"a//b", b"a/../b", b".", b"a\0b"):
            with pytest.raises(Invalid):
                sink.add(Entry(path, EntryType.DIRECTORY))
        with pytest.raises(Invalid):
            sink.add(Entry(b"h", EntryType.HARDLINK, target=b"../../etc/passwd"))
        with pytest.raises(Invalid):
            sink.add(Entry(b"f", EntryType.FILE, size=7))

    vault.write(fill)


def test_a_file_is_not_stored_where_a_restore_must_not_go(vault: Vault, tmp_path: Path) -> None:
    """Else a path leads out of the target."""
    (tmp_path / "file").write_bytes(b"x")
    folder = OpenFolder(os.open(tmp_path, os.O_RDONLY))
    state = pack_state((tmp_path / "file").stat())
    found = SimpleNamespace(path=b"a/../../b", folder=folder, name=b"file", state=state)
    with (
        pytest.raises(Invalid, match="plainly relative"),
        vault.writer().begin(uuid4()) as run,
        run.component("files", "files") as sink,
    ):
        sink.add_found([cast(Found, found)])
    assert vault.names() == ["config"]


def test_a_failed_component_fails_the_run(vault: Vault) -> None:
    """Else half of a component is listed as a backup."""
    with vault.writer().begin(uuid4()) as run:
        with pytest.raises(ZeroDivisionError), run.component("files", "files"):
            raise ZeroDivisionError
        with pytest.raises(Conflict):
            run.finish(SnapshotMeta("b", "b", "c"))
    assert vault.names() == ["config"]
