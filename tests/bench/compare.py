"""One round of a data set: every program through every phase, in turn, on the same data.

The programs change places from round to round, so that a drift of the machine's speed meets all of
them alike. The tree lies in memory; before each measured command all writing is waited for, and
some gigabytes of memory are held for it.
"""

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import limits, sets
from bench.measure import Command, Cost, run
from bench.peers import Peer, Strongroom
from bench.reserve import Reserve

FIRST, UNCHANGED, CHANGED, RESTORE, DISK, CHECK = (
    "first", "unchanged", "changed", "restore", "restore to disk", "check",
)  # fmt: skip
PHASES = (FIRST, UNCHANGED, CHANGED, RESTORE, DISK, CHECK)
LIMIT = "limit"
_LEVELS = (1, 2)


class RestoredOtherwise(Exception):
    """A restore gave back something else than the source: its time counts for nothing."""


def places(scratch: Path, memory: Path) -> Iterator[Path]:
    """What rounds have left; to be removed when no restore to disk follows."""
    for folder in (scratch, memory):
        yield from folder.glob("round-*")


def durable(command: Command, place: Path) -> Command:
    """``command``, and then the wait until all that it wrote to the disk of ``place`` is there."""
    script = '"$@" && exec sync --file-system "$0"'
    words = ["sh", "-c", script, str(place.absolute()), *command.words]
    return Command(words, command.env, command.cwd)


class Round:
    """One data set, once; ``costs[phase][program]`` and ``sizes[program]`` are what comes of it."""

    def __init__(
        self,
        name: str,
        number: int,
        scratch: Path,
        memory: Path,
        programs: list[Peer],
        reserve: Reserve,
    ) -> None:
        self._name, self._data, self._scratch = name, sets.SETS[name], scratch
        self._first = number == 0
        self._order = programs if number % 2 == 0 else programs[::-1]
        prefix = f"round-{name}-"
        self._place = Path(tempfile.mkdtemp(dir=scratch, prefix=prefix))
        self._memory = Path(tempfile.mkdtemp(dir=memory, prefix=prefix))
        self._reserve = reserve
        self._costs: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        self._sizes: dict[str, int] = {}

    def run(self, prepared: sets.Prepared) -> dict[str, Any]:
        """All phases."""
        source = self._source(prepared)
        self._limits(source)
        for peer in self._order:
            run(peer.init(self._repository(peer)))
        self._backups(FIRST, source, self._order)
        self._backups(UNCHANGED, source, self._order)
        for peer in self._order:
            self._sizes[peer.name] = _size(self._repository(peer))
        if self._data.levels:
            self._levels(source)
        label = UNCHANGED
        if self._data.change:
            self._data.change(source, prepared.next_day)
            label = CHANGED
            self._backups(CHANGED, source, self._order)
        census = _census(source)
        shutil.rmtree(source)  # its memory is what restores fill
        self._restores(label, census)
        shutil.rmtree(self._memory)
        return {"costs": self._costs, "sizes": self._sizes, "data": census}

    def _source(self, prepared: sets.Prepared) -> Path:
        """The tree to back up: a copy in memory, with its holes."""
        source = self._memory / "source"
        subprocess.run(["cp", "-a", str(prepared.original), str(source)], check=True)
        return source

    def _limits(self, source: Path) -> None:
        self._measure(LIMIT, limits.READ, limits.read(source))
        if not self._data.sparse:
            self._measure(LIMIT, limits.PIPE, limits.pipe(source, self._place / "pipe"))

    def _levels(self, source: Path) -> None:
        others = [Strongroom(self._scratch, level) for level in _LEVELS]
        for peer in others:
            run(peer.init(self._repository(peer)))
        self._backups(FIRST, source, others)
        for peer in others:
            self._sizes[peer.name] = _size(self._repository(peer))

    def _backups(self, phase: str, source: Path, programs: Iterable[Peer]) -> None:
        for peer in programs:
            command = peer.backup(self._repository(peer), source, phase)
            self._measure(phase, peer.name, command)

    def _restores(self, label: str, census: dict[str, int]) -> None:
        """Restores into memory, each followed by a check of all data.

        A restored tree is removed after the next restore and before a check: to remove a large
        tree just before a restore would make that one slow.
        """
        former: Path | None = None
        for peer in self._order:
            target = self._memory / f"restored-{peer.name}"
            self._restore(RESTORE, peer, label, census, target)
            if former:
                shutil.rmtree(former)
            former = target
            self._measure(CHECK, peer.name, peer.check(self._repository(peer)))
        if former:
            shutil.rmtree(former)
        if self._first and self._data.levels:
            for peer in self._order:
                target = self._place / f"restored-{peer.name}"
                self._restore(DISK, peer, label, census, target)

    def _restore(
        self, phase: str, peer: Peer, label: str, census: dict[str, int], target: Path
    ) -> None:
        target.mkdir()
        command = peer.restore(self._repository(peer), label, target, self._data.sparse)
        self._measure(phase, peer.name, durable(command, target) if phase == DISK else command)
        if _census(target) != census:
            raise RestoredOtherwise(f"{peer.name}: {_census(target)}, not {census}")

    def _repository(self, peer: Peer) -> Path:
        return self._place / f"repository-{peer.name}"

    def _measure(self, phase: str, program: str, command: Command) -> None:
        os.sync()  # before the memory is held, so that nothing is let go in vain
        self._reserve.fill()
        cost = run(command)
        self._costs[phase][program] = asdict(cost)
        _tell(self._name, phase, program, cost)


def _tell(name: str, phase: str, program: str, cost: Cost) -> None:
    print(  # noqa: T201 - progress of a command
        f"{name:10} {phase:16} {program:22} {cost.wall:8.2f} s  {cost.cpu:8.2f} s CPU"
        f" {cost.memory:6.0f} MB  others {cost.others:6.2f} s CPU",
        flush=True,
    )


def _files(folder: str) -> Iterator[os.stat_result]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry.stat(follow_symlinks=False)


def _census(tree: Path) -> dict[str, int]:
    """How many files, and how many bytes in them."""
    sizes = [status.st_size for status in _files(str(tree))]
    return {"files": len(sizes), "bytes": sum(sizes)}


def _size(folder: Path) -> int:
    return _census(folder)["bytes"]
