"""Strongroom beside its peers: the same data, the same machine, in turn, as ratios.

Usage: python tests/bench/compare.py [--data SET ...] [--rounds N] [--scratch DIR] [--write FILE]

Each round runs every program through every phase in a new repository, in alternating order, so
that a drift of the machine's speed meets all of them alike. Old trees are only deleted at the end
of a set: deleting a large tree makes the next creation of files slower for everybody.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import datasets
import peers
import report
from measure import Cost, run
from peers import Peer


@dataclass(frozen=True)
class DataSet:
    """What is backed up: how it is made, and how it changes before the third backup."""

    make: Callable[[Path], None]
    change: Callable[[Path], None] | None = None


SETS: dict[str, DataSet] = {
    "mixed": DataSet(datasets.mixed, datasets.mixed_changed),
    "dump": DataSet(datasets.dump, datasets.dump_changed),
    "tiny-200k": DataSet(lambda root: datasets.tiny(root, 200_000)),
    "tiny-1m": DataSet(lambda root: datasets.tiny(root, 1_000_000)),
    "sparse": DataSet(datasets.sparse),
}

Results = dict[str, dict[str, list[Cost]]]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Comparison:
    """One data set through all programs; ``costs[phase][program]`` collects what was measured."""

    def __init__(self, name: str, scratch: Path, programs: list[Peer]) -> None:
        self.name = name
        self.scratch = scratch
        self.programs = programs
        self.costs: Results = defaultdict(lambda: defaultdict(list))
        self.sizes: dict[str, list[int]] = defaultdict(list)

    def round(self, number: int) -> None:
        """Every program once through every phase; the order turns with each round."""
        data = SETS[self.name]
        place = Path(tempfile.mkdtemp(dir=self.scratch, prefix=f"{self.name}-{number}-"))
        shift = number % len(self.programs)
        order = self.programs[shift:] + self.programs[:shift]
        original = datasets.cached(self.scratch, self.name, data.make)
        source = place / "source"
        shutil.copytree(original, source, symlinks=True)
        for peer in order:
            repository = self._repository(place, peer)
            run(peer.init(repository), peer.env)
        self._backups("first", order, place, source)
        self._backups("unchanged", order, place, source)
        for peer in order:
            self.sizes[peer.name].append(_size(self._repository(place, peer)))
        if data.change:
            data.change(source)
            self._backups("changed", order, place, source)
        for peer in order:
            target = place / f"restored-{peer.name}"
            target.mkdir()
            command = peer.restore(self._repository(place, peer), target)
            self._record("restore", peer, run(command, peer.env))
        for peer in order:
            self._record("check", peer, run(peer.check(self._repository(place, peer)), peer.env))

    def _repository(self, place: Path, peer: Peer) -> Path:
        return place / f"repository-{peer.name}"

    def _backups(self, phase: str, order: list[Peer], place: Path, source: Path) -> None:
        for peer in order:
            command = peer.backup(self._repository(place, peer), source)
            self._record(phase, peer, run(command, peer.env))

    def _record(self, phase: str, peer: Peer, cost: Cost) -> None:
        self.costs[phase][peer.name].append(cost)
        print(  # noqa: T201 - progress of a command
            f"{self.name:10} {phase:10} {peer.name:11} {cost.wall:8.2f} s wall"
            f" {cost.cpu:8.2f} s cpu {cost.memory:7.0f} MB",
            flush=True,
        )

    def summary(self) -> dict[str, object]:
        """Medians and spreads, as the report and the stored JSON use them."""
        phases = {
            phase: {name: _median(costs) for name, costs in by_program.items()}
            for phase, by_program in self.costs.items()
        }
        sizes = {name: statistics.median(values) for name, values in self.sizes.items()}
        return {"set": self.name, "phases": phases, "sizes": sizes}


def _median(costs: list[Cost]) -> dict[str, float]:
    middle = {
        key: statistics.median(asdict(cost)[key] for cost in costs)
        for key in ("wall", "cpu", "memory")
    }
    walls = [cost.wall for cost in costs]
    return {**middle, "wall_min": min(walls), "wall_max": max(walls)}


def main() -> None:
    """Read the arguments, measure, print the table and write it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", nargs="+", choices=list(SETS), default=["mixed", "dump", "tiny-200k"]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir()) / "strongroom-bench"
    )
    parser.add_argument("--write", type=Path, help="the Markdown file whose tables are renewed")
    arguments = parser.parse_args()
    arguments.scratch.mkdir(parents=True, exist_ok=True)
    programs = peers.available(arguments.scratch)
    summaries = []
    for name in arguments.data:
        comparison = Comparison(name, arguments.scratch, programs)
        for number in range(arguments.rounds):
            comparison.round(number)
        summaries.append(comparison.summary())
        for leftover in arguments.scratch.glob(f"{name}-[0-9]*-*"):
            shutil.rmtree(leftover)
    versions = [peers.version(peer) for peer in programs]
    (arguments.scratch / "results.json").write_text(json.dumps(summaries, indent=2))
    text = report.markdown(summaries, versions, arguments.rounds)
    print(text)  # noqa: T201 - the result of a command
    if arguments.write:
        report.renew(arguments.write, text)


if __name__ == "__main__":
    main()
