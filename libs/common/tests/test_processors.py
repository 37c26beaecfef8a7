"""How many processors a piece of work takes."""

import os
from pathlib import Path

import pytest

from common import processors as module
from common.processors import processors


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A group of this process, on a machine with many processors."""
    own = tmp_path / "own"
    own.write_text("1:cpu:/elsewhere\n0::/kubepods/pod1\n")
    monkeypatch.setattr(module, "_OWN_GROUP", own)
    monkeypatch.setattr(module, "_GROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    pod = tmp_path / "kubepods" / "pod1"
    pod.mkdir(parents=True)
    return pod


@pytest.mark.parametrize(
    ("around", "own", "count"),
    [
        ("max 100000", "100000 100000", 1),
        ("max 100000", "50000 100000", 1),
        ("max 100000", "150000 100000", 2),
        ("200000 100000", "max 100000", 2),
        ("max 100000", "max 100000", 4),
        ("max 100000", "6400000 100000", 4),
    ],
)
def test_a_container_with_a_quota_starts_no_more_than_it_may_run(
    pod: Path, around: str, own: str, count: int
) -> None:
    """Four busy processes on one processor's quota: the worker beside them misses heartbeats."""
    (pod.parent / "cpu.max").write_text(around)
    (pod / "cpu.max").write_text(own)
    assert processors() == count


@pytest.mark.parametrize("text", ["", "nonsense", "100000 0", "1 2 3", "-1 100000"])
def test_limits_that_nobody_understands_are_none(pod: Path, text: str) -> None:
    """Lost: every backup on a machine whose kernel says it in another way."""
    (pod / "cpu.max").write_text(text)
    assert 1 <= processors() <= 4


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that was bound to one processor would be run by four processes."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert processors() == 1
