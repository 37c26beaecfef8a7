"""The n-th call to the disk fails, for every n: it is full, broken, read-only, out of handles.

``CHAOS=10`` tries each once and lasting, and repairs with each.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chaos.calls import CHANGES, READS, Call, watched
from chaos.disk import Contents, read_tree, shape, write_tree
from chaos.orderly import ORDER, small_and_orderly
from chaos.scenarios import (
    FETCH,
    PRUNE,
    REINDEX,
    ROTATE,
    SALVAGE,
    A,
    B,
    copy,
    damage,
    elsewhere,
    forget,
)
from chaos.settings import FACTOR, FIRST_SEED
from chaos.world import MENDS, Promise, create_at, fresh, open_at, restore, tidy
from common.errors import Error, NoSpace

FULL = {errno.ENOSPC, errno.EDQUOT}
GROWS = {"create", "write", "fsync", "rename", "mkdir", "link"}
HANDLES = {"create", "open", "list"}


def possible(kind: str) -> list[int]:
    """The errors that such a call may have."""
    found = [errno.EIO]
    found += sorted(FULL) if kind in GROWS else []
    found += [errno.EROFS] if kind in CHANGES - {"write", "fsync", "sync"} else []
    found += [errno.EMFILE] if kind in HANDLES else []
    return found


@dataclass
class Failing:
    """Fails at call number ``at``, and where it lasts at every later one of the same kinds."""

    at: int = -1
    number: int = 0
    lasts: bool = False
    met: str = ""

    def __post_init__(self) -> None:
        self.seen: list[str] = []

    def before(self, call: Call) -> None:
        place = len(self.seen)
        self.seen.append(call.kind)
        again = self.lasts and 0 <= self.at < place and self.number in possible(call.kind)
        if place == self.at or again:
            self.met = self.met or call.kind
            raise OSError(self.number, os.strerror(self.number), call.path)

    def after(self, call: Call) -> None:
        return


def restore_all(path: Path) -> None:
    """Restore every backup."""
    reader = open_at(path)
    for info in reader.snapshots():
        restore(reader, info.id)


WORK: dict[str, Callable[[Path], object]] = {
    "backup": B.do,
    "forget": forget("a").do,
    "prune": PRUNE.do,
    "rotate": ROTATE.do,
    "reindex": REINDEX.do,
    "copy": copy(A, B).do,
    "fetch": FETCH.do,
    "salvage": SALVAGE.do,
    "restore": restore_all,
    "check": lambda path: open_at(path).check(read_data=True),
}
READING = {"restore", "check"}
BEFORE = {
    "prune": (A, B, forget("a")),
    "reindex": (A, B),
    "copy": (A, elsewhere(B, ROTATE)),
    "fetch": (A, B, elsewhere(), damage("a")),
    "salvage": (A, B, damage("a")),
}
KEPT = {
    "backup": {"a"},
    "prune": {"b"},
    "rotate": {"a"},
    "reindex": {"a", "b"},
    "copy": {"a"},
    "fetch": {"a", "b"},
    "salvage": {"a", "b"},
}


@pytest.fixture
def place(memory: Path) -> Iterator[Path]:
    with small_and_orderly():
        yield memory / "place"


def attempts(kinds: list[str], work: str) -> Iterator[Failing]:
    """For each call every error that it may have, by turns once and lasting.

    Repairs, which read everything several times: one error at each change and each tenth look.
    """
    rounds = max(1, round(FACTOR))
    for at, kind in enumerate(kinds):
        errors = possible(kind)
        for shift in range(rounds if work in MENDS else max(rounds, len(errors))):
            if work in MENDS and kind in READS and (at + FIRST_SEED) % 10 > shift:
                continue
            turn = at + shift
            yield Failing(at, errors[turn % len(errors)], lasts=(turn // len(errors)) % 2 == 1)


@pytest.mark.parametrize("work", WORK)
def test_every_call_may_fail(place: Path, config: bytes, work: str) -> None:
    """Lost: a backup, or an evening over a traceback; or the disk fills up with leftovers."""
    create_at(place, config)
    for step in BEFORE.get(work, (A,)):
        step.do(place)
    origin = read_tree(place)
    counting, states = Failing(), set()
    assert fails(place, WORK[work], counting) is None
    for failing in attempts(counting.seen, work):
        write_tree(fresh(place), origin)
        told = fails(place, WORK[work], failing)
        try:
            assert told is None or isinstance(told, NoSpace) == (failing.number in FULL)
            state = shape(read_tree(place))
            if state not in states:
                states.add(state)
                goes_on(place, work, origin)
        except BaseException as error:
            error.add_note(f"{failing}, then {told!r}")
            raise


def goes_on(place: Path, work: str, origin: Contents) -> None:
    """Fail unless nothing is lost and the same work can be done now, without anything left over."""
    if work in READING:
        assert read_tree(place) == origin
        return
    ORDER.begin(2)
    promise = Promise({"a": A.files, "b": B.files}, frozenset(KEPT.get(work, ())))
    replace(promise, sound=work not in MENDS).holds(place)
    WORK[work](place)
    tidy(place)
    promise.holds(place)


def fails(path: Path, work: Callable[[Path], object], failing: Failing) -> Error | None:
    """What the work says; None when it came to its end in spite of the error."""
    ORDER.begin(1)
    with watched(path, failing):
        try:
            work(path)
        except Error as error:
            return error
        except OSError as error:
            error.add_note(f"call {failing.at} ({failing.met})")
            raise
    return None
