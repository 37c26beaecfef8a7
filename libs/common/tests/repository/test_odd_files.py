"""Files that are more, or other, than what an entry can hold, or than they say."""

from pathlib import Path
from uuid import uuid4

import pytest

from common.repository.entry import Entry, EntryType
from common.repository.prepared import SnapshotMeta
from common.repository.run import ComponentRecorder
from vault import Vault, seen


def test_what_has_more_attributes_than_can_be_stored_comes_back_with_the_first_of_them(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: root's backup of a whole machine, by any user who gives a file attributes."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"content")
    names = [b"security.a", *(b"user.%03d" % number for number in range(150))]
    many = tuple((name, bytes(60_000)) for name in names)
    for module in ("common.components.files.metadata", "common.repository.ingesting.reading"):
        monkeypatch.setattr(f"{module}.read_xattrs", lambda _: many)

    def fill(sink: ComponentRecorder) -> None:
        sink.add(Entry(b"c", EntryType.DIRECTORY, xattrs=many))
        sink.add_found([seen(b"d", tmp_path / "d")])
        sink.add_found([seen(b"d/f", tmp_path / "d" / "f")])

    info = vault.write(fill)
    assert vault.restore(info.id) == {b"d/f": b"content"}
    entries = list(vault.reader().snapshot(info.id).source("files").entries())
    assert [entry.path for entry in entries] == [b"c", b"d", b"d/f"]
    assert all(entry.xattrs == many[: len(entry.xattrs)] for entry in entries)
    assert all(entry.xattrs for entry in entries)
    assert [text.partition(" ")[0] for text in info.warnings["files"]] == ["c", "d", "d/f"]


@pytest.fixture
def untold() -> Path:
    """A file that has more content than the size that it tells."""
    path = Path("/proc/sys/kernel/ngroups_max")
    if path.stat().st_size or not path.read_bytes():
        pytest.skip("this system tells its size")
    return path


def test_what_a_file_has_beyond_the_size_that_it_tells_is_kept(
    vault: Vault, untold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: all that is in it, as with any file of /proc; or, the next night, what it has then."""
    monkeypatch.setattr("common.repository.ingesting.assembling._SETTLED_NS", 0)
    content = untold.read_bytes()
    for _ in range(2):
        with vault.writer().begin(uuid4(), cache=tmp_path) as run:
            with run.component("files", "files") as sink:
                sink.add_found([seen(b"untold", untold)])
            info = run.finish(SnapshotMeta("b", "b", "c")).commit_next()
        assert vault.restore(info.id) == {b"untold": content}
        assert info.warnings["files"] == ()
    for name in ("_MOST_UNTOLD", "_UNTOLD_STEP"):
        monkeypatch.setattr(f"common.repository.ingesting.reading.{name}", len(content))
    with vault.writer().begin(uuid4(), cache=tmp_path) as run:
        with run.component("files", "files") as sink:
            sink.add_found([seen(b"untold", untold)])
        info = run.finish(SnapshotMeta("b", "b", "c")).commit_next()
    assert info.components[0].entries == 0
    assert "untold is left out: it has more" in info.warnings["files"][0]
    assert vault.reader().check(read_data=True).ok


def test_a_symlink_that_leads_nowhere_at_all_is_left_out_with_a_warning(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the whole backup, by one such link of a file system in user space."""
    (tmp_path / "link").symlink_to("x")
    monkeypatch.setattr("common.components.files.metadata.os.readlink", lambda _: b"")
    info = vault.write(lambda sink: sink.add_found([seen(b"link", tmp_path / "link")]))
    assert info.components[0].entries == 0
    assert "link is left out" in info.warnings["files"][0]


def test_a_long_warning_keeps_its_beginning_and_its_end(vault: Vault) -> None:
    """Lost: why a file with a long path was left out."""
    path = "folder/" * 9000
    (told,) = vault.write(lambda sink: sink.warn(f"{path} is left out.")).warnings["files"]
    assert told.startswith("folder/folder/")
    assert told.endswith("/folder/ is left out.")
    assert len(told) <= 2000
