"""Strongroom beside its peers, its primitives, and the API under load: one command for all.

What is measured goes into the results and, from there, into the document. A further round of a set
is begun only while it will probably end within --minutes; the first always is. Sets and parts that
are not measured this time stay as they are.
"""

import argparse
import shutil
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from bench import compare, peers, primitives, report, responsiveness, sets
from bench.reserve import Reserve
from bench.results import Results

_DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
_USUAL = ["primitives", "compare", "responsiveness"]


class Benchmark:
    """One run of this command."""

    def __init__(self, wanted: argparse.Namespace) -> None:
        self._wanted = wanted
        self._scratch: Path = wanted.scratch
        self._memory: Path = wanted.memory / "strongroom-bench"
        for folder in (self._scratch, self._memory):
            folder.mkdir(parents=True, exist_ok=True)
        whole = wanted.scale == 1
        self._document = _DOCUMENT if whole else None
        self._results = Results(
            _DOCUMENT.with_suffix(".json") if whole else self._scratch / "results-scaled.json"
        )
        self._deadline = time.monotonic() + 60 * wanted.minutes

    def run(self) -> None:
        """Every part that is wanted; the document is renewed after each, and after each round."""
        parts = {
            "primitives": self._primitives,
            "instructions": self._instructions,
            "compare": self._compare,
            "responsiveness": self._responsiveness,
        }
        for name, part in parts.items():
            if name in self._wanted.parts:
                part()
                self._renew()
        self._renew()

    def _primitives(self) -> None:
        self._results.put("primitives", primitives.measure())

    def _instructions(self) -> None:
        self._results.put("instructions", primitives.count())

    def _responsiveness(self) -> None:
        tree = sets.prepare(self._scratch, "mixed", self._wanted.scale).original
        self._results.put("responsiveness", responsiveness.measure(tree))

    def _compare(self) -> None:
        """Round by round, all sets in each, so that time running out costs each a late round."""
        self._clear()
        programs = peers.available(self._scratch)
        versions = [peers.version(peer) for peer in programs]
        prepared = {
            name: sets.prepare(self._scratch, name, self._wanted.scale)
            for name in self._wanted.data
        }
        done = {name: self._begin(name, versions) for name in self._wanted.data}
        self._require_space(done)
        taken = {name: sets.SETS[name].seconds for name in self._wanted.data}
        with Reserve() as reserve:
            for number, name in product(range(self._wanted.rounds), self._wanted.data):
                if number < done[name] or not self._time_for(number, name, taken[name]):
                    continue
                begin = time.monotonic()
                places = self._scratch, self._memory
                one = compare.Round(name, number, *places, programs, reserve)
                self._results.add(name, one.run(prepared[name]))
                taken[name] = time.monotonic() - begin
                self._renew()
        self._clear()

    def _begin(self, name: str, versions: list[str]) -> int:
        found = self._results.rounds(name, versions) if self._wanted.resume else 0
        if not found:
            self._results.begin(name, versions)
        return found

    def _time_for(self, number: int, name: str, seconds: float) -> bool:
        if number == 0 or time.monotonic() + seconds < self._deadline:
            return True
        print(f"{name}: no time for round {number + 1}", flush=True)  # noqa: T201 - progress
        return False

    def _clear(self) -> None:
        """Remove what rounds have left, these and any that were cut short."""
        for place in compare.places(self._scratch, self._memory):
            shutil.rmtree(place)

    def _require_space(self, done: dict[str, int]) -> None:
        rounds = {name: max(0, self._wanted.rounds - count) for name, count in done.items()}
        each = {name: sets.SETS[name].space * self._wanted.scale for name in rounds}
        needed = sum(each[name] * rounds[name] for name in rounds)
        free = shutil.disk_usage(self._scratch).free / 1e9
        if free < needed:
            sys.exit(f"{self._scratch} needs {needed:.0f} GB, and {free:.0f} are free: --scratch")

    def _renew(self) -> None:
        if self._document:
            report.renew(self._document, self._results.document)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts, data = [*_USUAL, "instructions", "report"], ["mixed", "dump", "tiny-200k"]
    add = parser.add_argument
    add("--parts", nargs="+", choices=parts, default=_USUAL)
    add("--data", nargs="+", choices=list(sets.SETS), default=data)
    add("--rounds", type=int, default=3)
    add("--minutes", type=float, default=22, help="when no further round is begun")
    add("--resume", action="store_true", help="keep rounds of the same programs, add what lacks")
    add("--scale", type=float, default=1, help="smaller data, to try this; not for the document")
    add("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "strongroom-bench")
    add("--memory", type=Path, default=Path("/dev/shm"), help="a tmpfs, for all trees")
    Benchmark(parser.parse_args()).run()


if __name__ == "__main__":
    main()
