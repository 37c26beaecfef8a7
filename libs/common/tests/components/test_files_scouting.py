"""A walk that another process goes ahead of finds what one alone finds, whatever happens to it."""

import os
import random
import signal
from collections.abc import Iterator
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from common.components.files import scouting, walk
from common.components.files.patterns import Patterns
from common.components.files.scouting import Scout
from common.components.files.seen import Seen
from common.components.files.walk import Walk
from common.errors import CaptureFailed
from common.repository.entry import Entry
from common.repository.found import OpenFolder

FOLDERS = 60


class Record:
    """What a walk gave, in order."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, bytes, bytes]] = []
        self.warnings: list[str] = []

    def add(self, entry: Entry) -> None:
        self.taken.append((entry.path, entry.target, b"as such"))

    def add_found(self, found: Any) -> None:
        self.taken += [(each.path, each.name, each.state) for each in found]

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def taken(root: Path, *, shared: bool, patterns: Patterns | None = None) -> tuple[Any, ...]:
    record = Record()
    reading = Walk(record, patterns or Patterns((), ()), None, shared=shared)
    reading.run(os.fsencode(root).strip(b"/"))
    assert not active_children()
    return record.taken, record.warnings, reading.counts


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Folders in folders, with more than files in some of them."""
    chosen, folders = random.Random(7), [tmp_path / "tree"]
    folders[0].mkdir()
    first = folders[0] / "first"
    first.touch()
    for number in range(FOLDERS):
        folder = chosen.choice(folders) / f"{number:02}{chosen.choice(('', '.d', '-x'))}"
        folder.mkdir()
        folders.append(folder)
        for name in range(chosen.randrange(30)):
            (folder / f"{name}.{chosen.choice(('txt', 'tmp'))}").write_text(str(number))
        if number % 5 == 0:
            (folder / "link").symlink_to("nowhere")
            (folder / "second").hardlink_to(first)
    old = next(folders[0].rglob("*.txt"))
    os.utime(old, ns=(0, 2**63 + 5))  # later than a state can say
    return folders[0]


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scout goes ahead after a few files, on a machine with one processor too."""
    monkeypatch.setattr(walk, "LONG", 5)
    monkeypatch.setattr(walk, "processors", lambda: 2)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """For each folder that a scout was asked for, whether it had told something of it."""
    found: list[bool] = []
    await_ = Scout._await

    def listen(self: Scout, path: bytes) -> Any:
        told = await_(self, path)
        found.append(told is not None and told.listing is not None)
        return told

    monkeypatch.setattr(Scout, "_await", listen)
    yield found
    assert len(found) > FOLDERS // 2


def never_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.repository.forked.Link.is_awaited", lambda _: False)


@pytest.mark.parametrize(
    "patterns",
    [Patterns((), ()), Patterns((), ("*.tmp", "1*/", "!*.d")), Patterns(("*.txt", "**/2*"), ())],
)
@pytest.mark.parametrize("most", [4096, 6])
def test_it_is_found_as_by_a_walk_alone(
    tree: Path,
    heard: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    patterns: Patterns,
    most: int,
) -> None:
    """Lost: files of large trees, or the reason why they are not in the backup."""
    alone = taken(tree, shared=False, patterns=patterns)
    monkeypatch.setattr(scouting, "_MOST", most)
    assert taken(tree, shared=True, patterns=patterns) == alone
    never_left(monkeypatch)
    heard.clear()
    assert taken(tree, shared=True, patterns=patterns) == alone
    assert any(heard)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_walk_goes_on_without_its_scout(
    tree: Path, heard: list[bool], monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    """Lost: a whole backup because one process of it was killed, or hung."""
    alone = taken(tree, shared=False)
    monkeypatch.setattr(scouting, "_SILENCE", 0.2)
    never_left(monkeypatch)
    monkeypatch.setattr(scouting, "_AT_ONCE", 40)
    look, looked = scouting._look, count()

    def look_until(names: list[bytes], descriptor: int) -> Any:
        if next(looked) == FOLDERS // 3:
            os.kill(os.getpid(), end)
        return look(names, descriptor)

    monkeypatch.setattr(scouting, "_look", look_until)
    assert taken(tree, shared=True) == alone
    assert any(heard)
    assert not all(heard)


def test_what_a_scout_cannot_do_the_walk_does(
    tree: Path, heard: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: files of which the scout could not say what they are, without a word."""
    alone = taken(tree, shared=False)
    never_left(monkeypatch)
    lstat, parent = os.lstat, os.getpid()

    def fail_ahead(name: Any, **where: Any) -> os.stat_result:
        if os.getpid() != parent and name.endswith(b".txt"):
            raise PermissionError
        return lstat(name, **where)

    monkeypatch.setattr(os, "lstat", fail_ahead)
    assert taken(tree, shared=True) == alone
    assert any(heard)


def test_a_folder_that_was_replaced_is_listed_anew(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: what is in a folder, for what was in another one of its name."""
    identity, parent = scouting._identity, os.getpid()

    def other(descriptor: int) -> tuple[int, int]:
        device, inode = identity(descriptor)
        return device, inode + (os.getpid() != parent)

    listed = []
    alone = taken(tree, shared=False)
    monkeypatch.setattr(scouting, "_identity", other)
    listing = scouting.list_folder
    monkeypatch.setattr(scouting, "list_folder", lambda file: (listed.append(1), listing(file))[1])
    assert taken(tree, shared=True) == alone
    assert len(listed) > FOLDERS // 2


@pytest.mark.parametrize("fail", [KeyboardInterrupt, CaptureFailed])
def test_no_scout_outlives_its_walk(tree: Path, fail: type[BaseException]) -> None:
    """Lost: processors and open folders, to a process that works for nobody."""

    class Failing(Record):
        def add_found(self, found: Any) -> None:
            if active_children():
                raise fail
            super().add_found(found)

    reading = Walk(Failing(), Patterns((), ()), None, shared=True)
    with pytest.raises(fail):
        reading.run(os.fsencode(tree).strip(b"/"))
    assert not active_children()


def test_a_machine_without_room_for_a_process_walks_alone(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a backup that would have gone well."""
    alone = taken(tree, shared=False)

    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert taken(tree, shared=True) == alone


def test_what_was_told_of_a_file_is_completed_when_somebody_asks(tmp_path: Path) -> None:
    """Lost: the time of a file from another century, or its attributes."""
    (tmp_path / "file").write_text("x")
    whole = Record()
    Walk(whole, Patterns((), ()), None).run(os.fsencode(tmp_path).strip(b"/"))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    folder = OpenFolder(descriptor)
    told = Seen(b"file", folder, b"file", whole.taken[-1][2])
    assert told.describe() == Seen.now(b"file", folder, b"file").describe()
    assert told.mtime_ns == (tmp_path / "file").stat().st_mtime_ns
