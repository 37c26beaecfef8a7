"""A process that goes ahead of a walk, and what becomes of the walk whatever happens to it."""

import os
import signal
from itertools import count
from multiprocessing import active_children
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest

from common.components.files import metadata
from common.components.files.walking import scouting
from common.components.files.walking.patterns import Patterns
from common.components.files.walking.walk import Walk
from common.errors import CaptureFailed
from common.forked import Link
from common.repository import attributes
from shared_walk import FOLDERS, Record, taken


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.usefixtures("never_left")
def test_a_walk_goes_on_without_its_scout(
    tree: Path, heard: list[bool], monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    """Lost: a whole backup because one process of it was killed, or hung."""
    alone = taken(tree, shared=False)
    monkeypatch.setattr(scouting, "_SILENCE", 2.0)
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


@pytest.mark.usefixtures("never_left")
def test_a_scout_only_enters_folders(
    tree: Path, heard: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a minute, to a lock that a thread held when the scout was forked."""
    parent, asked = os.getpid(), attributes.user_name

    def die_ahead(uid: int) -> str:
        return asked(uid) if os.getpid() == parent else os._exit(1)

    monkeypatch.setattr(metadata, "user_name", die_ahead)
    taken(tree, shared=True)
    assert all(heard)


@pytest.mark.usefixtures("never_left")
def test_a_scout_waits_where_folders_are_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: list[bool]
) -> None:
    """Lost: memory without end while the walk is busy with something else."""
    for number in range(2 * FOLDERS):
        (tmp_path / "many" / f"{number}").mkdir(parents=True)
    (tmp_path / "first").mkdir()
    for number in range(9):
        (tmp_path / "first" / f"{number}").touch()
    monkeypatch.setattr(scouting, "_AT_ONCE", 10)
    monkeypatch.setattr(scouting, "_MOST", FOLDERS)
    tell = Link.tell

    def tell_little(self: Link, message: Any) -> None:
        assert len(message) <= 11
        tell(self, message)

    monkeypatch.setattr(Link, "tell", tell_little)
    taken(tmp_path, shared=True)
    assert heard.count(False) == 1


@pytest.mark.usefixtures("never_left")
def test_a_scout_that_cannot_be_ended_is_waited_for_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: ten seconds for every folder, where one disk of several does not answer."""
    alone = taken(tree, shared=False)
    monkeypatch.setattr(scouting, "_SILENCE", 0.2)
    monkeypatch.setattr(scouting, "_look", lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
    ended: list[ForkProcess] = []
    join = ForkProcess.join

    def wait(self: ForkProcess, timeout: float | None = None) -> None:
        ended.append(self)
        join(self, timeout)

    monkeypatch.setattr(ForkProcess, "join", wait)
    assert taken(tree, shared=True) == alone
    assert len(ended) == 1


def test_a_small_root_after_a_large_one_has_no_scout(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the time for a process, at each of many paths."""
    small = tmp_path / "small"
    small.mkdir()
    begun: list[bytes] = []
    share = Walk._share

    def counted(walk: Walk, seen: Any) -> Any:
        begun.append(walk._root)
        return share(walk, seen)

    monkeypatch.setattr(Walk, "_share", counted)
    reading = Walk(Record(), Patterns((), ()), None, shared=True)
    roots = [os.fsencode(each).strip(b"/") for each in (tree, small, tree)]
    for root in roots:
        reading.run(root)
    assert begun == [roots[0], roots[2]]


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
