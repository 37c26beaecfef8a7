"""``strongroom repo backup`` and ``repo prune`` are killed at some moment; another one finishes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from chaos.settings import seeds
from common.repository.format.config import RepositoryConfig
from common.repository.lock import linking
from common.repository.opening import create, open_reader
from common.repository.pruning.prune import PruneSettings
from common.repository.reader import Reader
from trees import compare
from vault import noise

KEY = "the key of the tests"
PATIENCE = 60.0


@pytest.fixture
def source(memory: Path) -> Path:
    """Some megabytes in some hundred files."""
    folder = memory / "source"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}").write_bytes(noise(60_000, number))
    (folder / "large").write_bytes(noise(30_000_000, 1000))
    return folder


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """The config of every repository here, under ``KEY``."""
    return RepositoryConfig.create(KEY)


@pytest.fixture
def place(memory: Path, sealed: bytes) -> Path:
    """An empty repository."""
    create(memory / "repository", sealed)
    return memory / "repository"


def command(*arguments: object) -> subprocess.Popen[bytes]:
    """The command line, started in a group of its own."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("strongroom"), "repo", *map(str, arguments)],
        env={**os.environ, "BACKUP_ENCRYPTION_KEY": KEY},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_in_the_middle(process: subprocess.Popen[bytes], place: Path, random: Random) -> bool:
    """Kill it some time after it began to write; false when it had ended."""
    before, give_up = count(place), time.monotonic() + PATIENCE
    while count(place) == before and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.002)
    time.sleep(random.random() ** 2 * 0.6)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    return killed


def count(place: Path) -> int:
    """How many files there are."""
    return sum(len(files) for _, _, files in os.walk(place))


def sound(reader: Reader, place: Path) -> None:
    """Fail unless all is well and nothing is left that no backup needs."""
    report = reader.check(read_data=True)
    assert report.ok, report.findings
    reader.prune(PruneSettings(timedelta(0), timedelta(0)))
    assert not any((place / "tmp").iterdir())


def test_a_killed_backup_is_followed_by_a_whole_one(
    place: Path, source: Path, memory: Path
) -> None:
    """Lost: the backups before it, or the disk space of what the dead one left."""
    reader = open_reader(place, KEY)
    killed = 0
    for seed in seeds(2):
        listed = {info.id for info in reader.snapshots()}
        # Who cannot commit is not done before it is killed, however fast.
        with nullcontext() if killed else linking(place):
            ended = not kill_in_the_middle(command("backup", place, source), place, Random(seed))
        killed += not ended
        now = {info.id for info in reader.snapshots()}
        assert listed <= now
        assert len(now - listed) <= 1
        assert not ended or now - listed
        assert reader.check(read_data=True).ok
    assert killed
    assert command("backup", place, source, "--name", "last").wait(PATIENCE) == 0
    sound(reader, place)
    target = memory / "target"
    assert command("restore", place, "last", target).wait(PATIENCE) == 0
    assert not compare(source, target / source.relative_to("/"))


def test_a_killed_prune_is_finished_by_the_next(place: Path, source: Path) -> None:
    """Lost: what a prune was moving when it died."""
    reader = open_reader(place, KEY)
    for change, name in enumerate(("first", "second"), 2):
        assert command("backup", place, source, "--name", name).wait(PATIENCE) == 0
        for number in range(0, 300, 2):
            (source / f"{number}").write_bytes(noise(60_000, change * 1000 + number))
    first, second = reader.snapshots()
    reader.forget(first.id, "a test")
    for seed in seeds(2):
        kill_in_the_middle(command("prune", place), place, Random(seed))
        assert reader.check(read_data=True).ok
        assert [info.id for info in reader.snapshots()] == [second.id]
    assert command("prune", place).wait(PATIENCE) == 0
    sound(reader, place)
    assert reader.snapshot(second.id).info.backup_name == "second"


def test_a_killed_restore_goes_on_when_it_is_repeated(
    place: Path, source: Path, memory: Path
) -> None:
    """Lost: what was restored before, or the disk space of what has no name."""
    target = memory / "target"
    here = target / source.relative_to("/")
    assert command("backup", place, source, "--name", "whole").wait(PATIENCE) == 0
    for seed in seeds(2):
        kill_in_the_middle(command("restore", place, "whole", target), target, Random(seed))
    assert command("restore", place, "whole", target).wait(PATIENCE) == 0
    assert not compare(source, here)
    whole = {path: path.stat().st_ino for path in here.iterdir()}
    assert command("restore", place, "whole", target).wait(PATIENCE) == 0
    assert whole == {path: path.stat().st_ino for path in here.iterdir()}
