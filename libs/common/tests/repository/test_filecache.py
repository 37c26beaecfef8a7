"""The cache of unchanged files saves reading them, and never lies."""

import errno
import os
import random
import stat
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from common.repository.format.block import ends_block
from common.repository.history import SnapshotInfo
from common.repository.ingesting import assembling
from common.repository.ingesting.filecache import FileCache
from common.repository.prepared import SnapshotMeta
from common.repository.pruning.prune import PruneSettings
from vault import Vault, noise, seen

Back = Callable[..., SnapshotInfo]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of every kind, settled long ago."""
    monkeypatch.setattr(assembling, "_SETTLED_NS", 0)
    root = tmp_path / "tree"
    root.mkdir()
    for name, size in (("empty", 0), ("small", 3000), ("middle", 50_000), ("large", 9_000_000)):
        (root / name).write_bytes(noise(size, size))
    with (root / "sparse").open("wb") as file:
        file.truncate(20_000_000)
        file.seek(7_000_000)
        file.write(noise(10_000))
    return root


@pytest.fixture
def back(vault: Vault, tree: Path, tmp_path: Path) -> Back:
    """Backs up the tree, with a cache."""

    def back_up(*, reread: bool = False) -> SnapshotInfo:
        with vault.writer().begin(uuid4(), cache=tmp_path / "cache", reread=reread) as run:
            with run.component("files", "files") as sink:
                for path in sorted(tree.iterdir()):
                    sink.add_found([seen(path.name.encode(), path)])
            return run.finish(SnapshotMeta("b", "b", "c")).commit_next()

    return back_up


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened to be read."""
    names: list[str] = []
    real = os.open

    def noting(path: Any, *rest: int, **options: Any) -> int:
        names.append(os.fsdecode(path).rpartition("/")[2])
        return real(path, *rest, **options)

    monkeypatch.setattr("common.repository.ingesting.reading.os.open", noting)
    return names


def read(opened: list[str]) -> set[str]:
    return set(opened) & {"empty", "small", "middle", "large", "sparse", "new"}


def content(tree: Path) -> dict[bytes, bytes]:
    return {path.name.encode(): path.read_bytes() for path in tree.iterdir()}


def test_unchanged_files_are_not_read_again(
    vault: Vault, tree: Path, back: Back, opened: list[str]
) -> None:
    """Else a terabyte is read every night for nothing."""
    first = back()
    assert len(read(opened)) == 5
    opened.clear()
    for _ in range(2):
        again = back()
        assert read(opened) == set()
        assert vault.restore(again.id) == vault.restore(first.id) == content(tree)
        assert again.components[0].size == first.components[0].size
        assert again.components[0].tree == first.components[0].tree
    assert vault.reader().check(read_data=True).ok


def test_a_full_backup_reads_all_and_helps_the_next(back: Back, opened: list[str]) -> None:
    """Else nobody can ask for a fresh look, or the first incremental one reads all again."""
    back()
    opened.clear()
    back(reread=True)
    assert len(read(opened)) == 5
    opened.clear()
    back()
    assert read(opened) == set()


def test_a_border_that_comes_or_goes_makes_nothing_be_read(
    vault: Vault, tree: Path, back: Back, opened: list[str]
) -> None:
    """Else one new file has hundreds read that lie between it and the border before."""
    back()
    names = (f"m{number}" for number in range(10_000))
    border = tree / next(name for name in names if ends_block(name.encode()))
    border.write_bytes(noise(100))
    opened.clear()
    with_it = back()
    assert border.name in opened
    assert read(opened) == set()
    assert vault.restore(with_it.id) == content(tree)
    border.unlink()
    opened.clear()
    without = back()
    assert read(opened) == set()
    assert vault.restore(without.id) == content(tree)


def overwrite(path: Path) -> None:
    """Other content of the same size, with the same modification time."""
    before = path.stat()
    path.write_bytes(random.Random(7).randbytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Another file in its place, of the same size and time."""
    before = path.stat()
    other = path.with_name("new")
    other.write_bytes(random.Random(8).randbytes(before.st_size))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("change", [overwrite, replaced, grown])
@pytest.mark.parametrize("name", ["small", "middle", "large", "sparse"])
def test_a_changed_file_is_read(
    vault: Vault,
    tree: Path,
    back: Back,
    opened: list[str],
    name: str,
    change: Callable[[Path], None],
) -> None:
    """Else a change is never backed up, and nobody knows."""
    back()
    opened.clear()
    time.sleep(0.02)
    change(tree / name)
    opened.clear()
    again = back()
    assert read(opened) == {name}
    assert vault.restore(again.id) == content(tree)


def test_a_file_just_written_is_read_again(
    tree: Path, back: Back, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a second write within the same tick of the clock is never backed up."""
    monkeypatch.setattr(assembling, "_SETTLED_NS", 3600 * 10**9)
    back()
    opened.clear()
    back()
    assert len(read(opened)) == 5


def test_a_damaged_or_forged_cache_costs_time_and_nothing_else(
    vault: Vault, tree: Path, back: Back, tmp_path: Path
) -> None:
    """Else a flipped byte in a cache puts wrong content into every later backup."""
    back()
    chosen = random.Random(1)
    for file in sorted((tmp_path / "cache").iterdir()):
        good = file.read_bytes()
        for size in (0, 10, len(good) // 2, len(good)):
            file.write_bytes(good[:size])
            assert vault.restore(back().id) == content(tree)
        for _ in range(6):
            bad = bytearray(file.read_bytes())
            for place in chosen.choices(range(len(bad)), k=1 + len(bad) // 50):
                bad[place] ^= 0xFF
            file.write_bytes(bad)
            assert vault.restore(back().id) == content(tree)
        file.write_bytes(b"\xff" * len(good))
        assert vault.restore(back().id) == content(tree)


def test_what_prune_removed_is_read_again(
    vault: Vault, tree: Path, back: Back, opened: list[str]
) -> None:
    """Else a backup lists content that is not in the repository."""
    vault.reader().forget(back().id, "")
    vault.reader().prune(PruneSettings(grace=timedelta(0)))
    opened.clear()
    again = back()
    assert read(opened) >= {"small", "middle", "large", "sparse"}
    assert vault.restore(again.id) == content(tree)


def test_a_failed_run_leaves_the_cache_as_it_was(
    vault: Vault, tree: Path, back: Back, opened: list[str], tmp_path: Path
) -> None:
    """Else a killed backup makes the next one read everything, or leaves litter."""
    back()
    before = {file.name: file.read_bytes() for file in (tmp_path / "cache").iterdir()}
    opened.clear()

    def fail() -> None:
        begun = vault.writer().begin(uuid4(), cache=tmp_path / "cache")
        with begun as run, run.component("files", "files"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert {file.name: file.read_bytes() for file in (tmp_path / "cache").iterdir()} == before


def test_the_cache_tells_nothing(tree: Path, back: Back, tmp_path: Path) -> None:
    """Else whoever reads the disk of a worker learns names, or others read the cache."""
    before = os.umask(0)
    try:
        back()
    finally:
        os.umask(before)
    stored = b"".join(file.read_bytes() for file in (tmp_path / "cache").iterdir())
    for name in (b"small", b"middle", b"files"):
        assert name not in stored
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    for file in (tmp_path / "cache").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_cache_can_be_used_whatever_the_umask(vault: Vault, tmp_path: Path) -> None:
    """Lost: the cache of every account but root's, in folders that it made and may not enter."""
    folder = tmp_path / "home" / ".cache" / "strongroom"
    before = os.umask(0o777)
    try:
        FileCache(folder, vault.session().keys, "files").commit()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "home").rglob("*")}
    assert modes == {0o700, 0o600}


def test_a_cache_that_cannot_be_written_is_done_without(
    vault: Vault, tree: Path, tmp_path: Path, back: Back
) -> None:
    """Else a full or read-only cache disk stops backups."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert vault.restore(back().id) == content(tree)


def test_a_cache_disk_that_turns_read_only_fails_no_backup(
    vault: Vault, tree: Path, tmp_path: Path, back: Back, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a backup that is whole is taken for failed."""
    back()

    def refused(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *rest: Any, **options: Any) -> Any:
            if path.is_relative_to(tmp_path / "cache"):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return real(path, *rest, **options)

        return call

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, refused(getattr(Path, name)))
    assert vault.restore(back().id) == content(tree)
