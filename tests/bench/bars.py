"""What is asked of us, and how near a set of rounds comes to it."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.compare import FIRST, PHASES, UNCHANGED
from bench.peers import OURS

SIZE, CPU = 1.02, 0.5
_MEASURES = "restic", "borg"
"""The peers that the bar is set by; another one is only shown beside them."""


@dataclass(frozen=True)
class Figure:
    """The median of some rounds, and how far they were apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        return cls(statistics.median(values), min(values), max(values))


class Measured:
    """One data set's rounds, by phase and program."""

    def __init__(self, name: str, found: dict[str, Any]) -> None:
        self.name, self._rounds = name, found["rounds"]
        self.versions, self.machine, self.date = (
            found["versions"], found["machine"], found["measured"],
        )  # fmt: skip

    @property
    def rounds(self) -> int:
        return len(self._rounds)

    @property
    def phases(self) -> list[str]:
        """The phases of the programs that were measured, in order."""
        return [phase for phase in PHASES if phase in self._rounds[0]["costs"]]

    def programs(self, phase: str) -> list[str]:
        """Who was measured in a phase: ourselves first, then the peers, then the rest."""
        found = self._rounds[0]["costs"].get(phase, {})
        return sorted(found, key=lambda name: (not name.startswith(OURS), name != "restic", name))

    @property
    def others(self) -> list[str]:
        """The peers that set no bar."""
        return [name for name in self.peers if name not in _MEASURES]

    @property
    def peers(self) -> list[str]:
        return [name for name in self.programs(FIRST) if not name.startswith(OURS)]

    def figure(self, phase: str, program: str, what: str) -> Figure:
        """Of ``wall``, ``cpu``, ``memory`` or ``others``."""
        costs = [found["costs"].get(phase, {}).get(program) for found in self._rounds]
        return Figure.of([cost[what] for cost in costs if cost])

    def size(self, program: str) -> float:
        """Bytes of the repository after the unchanged backup."""
        sizes: list[int] = [found["sizes"][program] for found in self._rounds]
        return statistics.median(sizes)

    @property
    def data(self) -> dict[str, int]:
        """Files and bytes of the tree as it was restored."""
        found: dict[str, int] = self._rounds[0]["data"]
        return found

    def disturbance(self) -> float:
        """The largest share of the two processors that anything else had during a command."""
        shares: list[float] = [
            cost["others"] / max(cost["wall"], 0.5)
            for found in self._rounds
            for by_program in found["costs"].values()
            for cost in by_program.values()
        ]
        return statistics.quantiles(shares, n=10)[-1] if len(shares) > 1 else max(shares)

    def wall_ratio(self, phase: str) -> float | None:
        """Our time to that of the faster of those that set the bar."""
        ratios = [self.wall_ratio_to(name, phase) for name in self.peers if name in _MEASURES]
        return max(ratios, default=None)

    def wall_ratio_to(self, peer: str, phase: str) -> float:
        """Our time to that of one peer."""
        ours, theirs = (self.figure(phase, name, "wall").median for name in (OURS, peer))
        return ours / theirs

    def cpu_ratio(self, phase: str) -> float | None:
        """Our CPU seconds to restic's."""
        if "restic" not in self.peers:
            return None
        theirs = self.figure(phase, "restic", "cpu").median
        return self.figure(phase, OURS, "cpu").median / theirs

    def size_ratio(self) -> float | None:
        """Our repository to the smaller of theirs that set the bar."""
        peers = [self.size(name) for name in self.peers if name in _MEASURES]
        return self.size(OURS) / min(peers) if peers else None


def wall_bar(name: str, phase: str) -> float:
    """The largest ratio that is good enough."""
    strict = phase == UNCHANGED or (name, phase) == ("mixed", FIRST)
    return 0.4 if strict else 0.5


def memory_bar(name: str) -> float:
    """The most memory in MB that is good enough."""
    return 450 if name == "tiny-1m" else 300


def missed(measured: Measured) -> Iterator[str]:
    """Every phase that does not reach a bar, and the repository's size, as a sentence each."""
    for phase in measured.phases:
        if short := list(_short(measured, phase)):
            yield f"{measured.name}, {phase}: {'; '.join(short)}"
    size = measured.size_ratio()
    if size is not None and size > SIZE:
        yield f"{measured.name}: a repository of {size:.3f} of the smaller peer's (bar {SIZE})"


def _short(measured: Measured, phase: str) -> Iterator[str]:
    wall, cpu = measured.wall_ratio(phase), measured.cpu_ratio(phase)
    bar, most = wall_bar(measured.name, phase), memory_bar(measured.name)
    memory = measured.figure(phase, OURS, "memory").median
    if wall is not None and wall > bar:
        yield f"{wall:.2f} of the faster peer's time (bar {bar:.2f})"
    if cpu is not None and cpu > CPU:
        yield f"{cpu:.2f} of restic's CPU seconds (bar {CPU:.2f})"
    if memory > most:
        yield f"{memory:.0f} MB of memory (bar {most:.0f})"
