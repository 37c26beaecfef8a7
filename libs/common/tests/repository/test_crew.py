"""Files are read by processes of their own, and it makes no difference but time."""

import errno
import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from common.components.component import Target
from common.components.files import FilesComponent
from common.errors import NoSpace
from common.repository.damage import Damaged
from common.repository.history import SnapshotInfo
from common.repository.ingesting import assembling, crew, readers
from common.repository.ingesting.reading import FileReader, Outcome
from common.repository.ingesting.tasks import Task
from common.repository.prepared import SnapshotMeta
from common.repository.reading.trees import blocks as blocks_of
from nasty_tree import make_nasty_tree
from trees import compare
from vault import Keys, Vault, noise

MANY = 600


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every kind of file, and some hundreds more; processes are worth their while for them."""
    monkeypatch.setattr(crew, "_WORTHWHILE_FILES", 0)
    monkeypatch.setattr(crew, "_HANDY_FILES", 0)
    monkeypatch.setattr(readers, "_AT_ONCE", 1)
    monkeypatch.setattr(assembling, "_SETTLED_NS", 0)
    root = tmp_path / "tree"
    make_nasty_tree(root)
    (root / "many").mkdir()
    for number in range(MANY):
        (root / "many" / f"{number:03}").write_bytes(noise(number * 30, number % 500))
    (root / "large").write_bytes(noise(9_000_000, 1))
    (root / "again").write_bytes(noise(9_000_000, 1))
    return root


def back_up(
    vault: Vault, tree: Path, processes: int = 2, cache: Path | None = None
) -> SnapshotInfo:
    with vault.writer().begin(uuid4(), cache=cache, processes=processes) as run:
        with run.component("files", "files") as sink:
            sink.details = FilesComponent.of("files", [tree]).capture(sink)
        return run.finish(SnapshotMeta("b", "b", "c")).commit_next()


def blocks(vault: Vault, info: SnapshotInfo, tree: Path) -> list[bytes]:
    """The blocks but those with folders above the tree: others, who test there, change them."""
    inside, damage = os.fsencode(tree).strip(b"/"), list[Damaged]()
    found = blocks_of(vault.reader().fetcher, info.components[0].tree, damage.append)
    ids = [chunk_id for chunk_id, block in found if block.entries[0].path.startswith(inside)]
    assert not damage
    return ids


def restored(vault: Vault, info: SnapshotInfo, tree: Path, target: Path) -> list[str]:
    """How what comes back differs from the tree."""
    source = vault.reader().snapshot(info.id).source("files")
    FilesComponent.of("files", []).restore(source, Target(directory=target))
    return compare(tree, target / tree.relative_to("/"))


def test_processes_write_what_one_would_write(vault: Vault, tree: Path, tmp_path: Path) -> None:
    """Else what a backup holds depends on the machine that made it."""
    first = back_up(vault, tree)
    assert not _readers()
    assert vault.reader().check(read_data=True).ok
    assert restored(vault, first, tree, tmp_path / "target") == []
    alone = back_up(vault, tree, processes=0)
    assert blocks(vault, alone, tree) == blocks(vault, first, tree)
    assert alone.statistics.added < 100_000


@pytest.mark.parametrize(("name", "started"), [("large", 0), ("many", 2)])
def test_no_process_is_started_for_one_last_task(
    vault: Vault,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    started: int,
) -> None:
    """Else each nightly dump waits for a process to start that has nobody beside it."""
    starts: list[int] = []
    real = readers.Processes._start

    def start(self: readers.Processes, threads: int) -> readers._Reader:
        starts.append(threads)
        return real(self, threads)

    monkeypatch.setattr(readers.Processes, "_start", start)
    monkeypatch.setattr(crew, "_WORTHWHILE_BYTES", 0)
    info = back_up(vault, tree / name)
    assert len(starts) == started
    assert info.components[0].size > MANY
    assert vault.reader().check(read_data=True).ok


def test_what_a_cache_vouches_for_is_what_was_read(
    vault: Vault, tree: Path, tmp_path: Path
) -> None:
    """Else an unchanged tree comes back as another one."""
    cache = tmp_path / "cache"
    first, same = (back_up(vault, tree, cache=cache) for _ in range(2))
    assert blocks(vault, same, tree) == blocks(vault, first, tree)
    assert same.components[0].size == first.components[0].size
    (tree / "many" / "007").write_bytes(b"another")
    (tree / "many" / "008").unlink()
    (tree / "many" / "new").write_bytes(b"new")
    (tree / "large").chmod(0o400)
    os.setxattr(tree / "again", "user.mark", b"set")
    changed = back_up(vault, tree, cache=cache)
    assert restored(vault, changed, tree, tmp_path / "target") == []
    assert changed.statistics.added < 1_000_000


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``handed_over(signal)`` is sent to one of the processes when it gets its third task."""
    sent: list[int] = []
    seen: list[Task] = []
    real = readers.Processes._hand_over

    def hand_over(self: readers.Processes, reader: readers._Reader, task: Task) -> None:
        real(self, reader, task)
        seen.append(task)
        if len(seen) == 3:
            os.kill(reader.process.pid, sent[0])

    monkeypatch.setattr(readers.Processes, "_hand_over", hand_over)
    return sent.append


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_hangs_fails_the_backup_and_nothing_else(
    vault: Vault,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    handed_over: Callable[[int], None],
    number: int,
) -> None:
    """Else a backup lacks files and says nothing, or waits for ever."""
    monkeypatch.setattr(readers, "_SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(readers, "_END_SECONDS", 0.5)
    handed_over(number)
    with pytest.raises(readers.ReaderLost):
        back_up(vault, tree)
    assert vault.reader().snapshots() == []
    assert vault.names("snapshots/") == []
    monkeypatch.undo()
    assert not _readers()
    back_up(vault, tree)
    assert vault.reader().check(read_data=True).ok


def test_no_process_has_much_before_it(
    vault: Vault, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the last of a backup waits in line behind a film, and another process has nothing."""
    before: list[tuple[int, int]] = []
    real = readers.Processes._hand_over

    def hand_over(self: readers.Processes, reader: readers._Reader, task: Task) -> None:
        before.append((len(reader.tasks), reader.bytes))
        real(self, reader, task)

    monkeypatch.setattr(readers.Processes, "_hand_over", hand_over)
    monkeypatch.setattr(readers, "_AT_ONCE", 2)
    monkeypatch.setattr(readers, "_MUCH", 1_000_000)
    back_up(vault, tree)
    tasks, sizes = zip(*before, strict=True)
    assert max(tasks) == 1
    assert max(sizes) < 1_000_000


def test_a_file_that_was_changed_since_it_was_seen_comes_back_as_it_was_read(
    vault: Vault, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it has the bytes of one version, and the size and times of another."""
    real, path = FileReader.read, tree / "many" / "007"

    def read(self: FileReader, folder: int, name: bytes, seen: bytes) -> tuple[bytes, Outcome]:
        if name == b"007":
            path.write_bytes(b"longer than what was seen" * 100)
            os.utime(path, ns=(5, 5))
        return real(self, folder, name, seen)

    monkeypatch.setattr(FileReader, "read", read)
    info = back_up(vault, tree, processes=0)
    assert restored(vault, info, tree, tmp_path / "target") == []


def test_a_crowd_of_open_files_is_waited_for(
    vault: Vault, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a second backup of the same account, which may open few files, waits in vain."""
    real, tries = socket.send_fds, itertools.count()

    def send_fds(*what: Any) -> int:
        return _crowded() if next(tries) % 3 else real(*what)

    monkeypatch.setattr(socket, "send_fds", send_fds)
    back_up(vault, tree)
    assert next(tries) > 3
    assert vault.reader().check(read_data=True).ok
    monkeypatch.setattr(readers, "_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(readers, "_END_SECONDS", 0.5)
    monkeypatch.setattr(socket, "send_fds", _crowded)
    with pytest.raises(readers.ReaderLost, match="ulimit"):
        back_up(vault, tree)


def _crowded(*_: Any) -> int:
    raise OSError(errno.ETOOMANYREFS, "Too many references: cannot splice")


def test_a_full_disk_is_told_as_such(keys: Keys, tree: Path, small_disk: Path) -> None:
    """Else somebody looks for a crash where there is no room."""
    vault = Vault(small_disk / "repository", *keys)
    with pytest.raises(NoSpace):
        back_up(vault, tree)
    assert vault.reader().snapshots() == []


def test_a_backup_that_fails_ends_its_processes(vault: Vault, tree: Path) -> None:
    """Else each failed night leaves processes behind that hold files open."""

    def fail() -> None:
        with vault.writer().begin(uuid4(), processes=2) as run, run.component("f", "files") as sink:
            FilesComponent.of("files", [tree]).capture(sink)
            sink.finish()
            assert _readers()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not _readers()
    assert vault.names("tmp/") == vault.names("packs/") == vault.names("index/") == []


def test_a_process_is_deaf_to_ctrl_c_from_its_start(
    vault: Vault, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it says on the terminal where it was in its own beginning."""
    deaf: list[int] = []
    real = readers.Processes._start

    def start(self: readers.Processes, threads: int) -> readers._Reader:
        reader = real(self, threads)
        status = Path(f"/proc/{reader.process.pid}/status").read_text()
        deaf.append(int(status.partition("SigBlk:")[2].split()[0], 16) >> signal.SIGINT - 1 & 1)
        return reader

    monkeypatch.setattr(readers.Processes, "_start", start)
    back_up(vault, tree)
    assert deaf == [1, 1]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_run_comes_before_its_processes(vault: Vault, tree: Path) -> None:
    """Else they take the processor from it, and wait for the work that it has not given them."""
    with vault.writer().begin(uuid4(), processes=2) as run:
        with run.component("files", "files") as sink:
            FilesComponent.of("files", [tree]).capture(sink)
            sink.finish()
            niceness = {
                os.getpriority(os.PRIO_PROCESS, int(line.split()[0])) for line in _readers()
            }
        run.finish(SnapshotMeta("b", "b", "c")).commit_next()
    assert niceness == {min(os.nice(0) + 10, 19)}


def _readers() -> list[str]:
    """The processes that read for this one, each with its number."""
    found = subprocess.run(
        ["ps", "-ww", "--ppid", str(os.getpid()), "-o", "pid=,args="],
        capture_output=True,
        check=False,
        text=True,
    )
    return [line for line in found.stdout.splitlines() if readers._PROGRAM in line]
