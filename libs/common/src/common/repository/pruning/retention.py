"""Which backups rules keep, and which may go. It only decides."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from itertools import chain, repeat

from common.errors import Invalid
from common.repository.history import SnapshotInfo

_PERIODS = {"daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m", "yearly": "%Y"}
_AHEAD = ("dated ahead",)


@dataclass(frozen=True, slots=True)
class Rules:
    """How many to keep: the last backups, and the newest of each of the last days, ISO weeks, and
    so on, that have any. What one rule keeps, no other takes.

    Raises:
        Invalid: there is no rule, or one that keeps nothing.
    """

    last: int | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None
    yearly: int | None = None

    def __post_init__(self) -> None:
        given = self.given()
        if not given or min(given.values()) < 1:
            raise Invalid("Each rule keeps at least one backup, and there is at least one rule.")

    def given(self) -> dict[str, int]:
        """The rules that there are, by name."""
        return {name: count for name, count in asdict(self).items() if count is not None}

    def reasons(self, moments: Sequence[datetime]) -> list[tuple[str, ...]]:
        """The rules that keep each of the backups of one series; ``moments`` ascend."""
        found: list[list[str]] = [[] for _ in moments]
        for rule, count in self.given().items():
            newest = {_period(rule, place, at): place for place, at in enumerate(moments)}
            for place in sorted(newest.values())[-count:]:
                found[place].append(rule)
        return [tuple(each) for each in found]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a backup: for no reason to keep it, it goes."""

    backup: SnapshotInfo
    reasons: tuple[str, ...]


def decide(
    backups: Iterable[SnapshotInfo],
    rules: Rules,
    zone: tzinfo | None = None,
    now: datetime | None = None,
) -> list[Decision]:
    """Apply the rules to each series by itself; series by series, oldest first.

    Each keeps its newest backup at least. Days begin as in ``zone``, else as on this machine. A
    backup of a time that is still to come stays and counts for no rule: a clock was wrong when it
    was made, or is now, and nobody can tell whether it is newer than the others.
    """
    now = now or datetime.now(UTC)
    series: dict[Hashable, list[SnapshotInfo]] = {}
    # A repaired backup has the time of the damaged one, and is the better one.
    for info in sorted(backups, key=lambda info: (info.created, info.finished)):
        series.setdefault(_series(info), []).append(info)
    decisions = []
    for each in series.values():
        moments = [info.created.astimezone(zone) for info in each if info.created <= now]
        reasons = chain(rules.reasons(moments), repeat(_AHEAD))
        decisions += [Decision(info, why) for info, why in zip(each, reasons, strict=False)]
    return decisions


def _period(rule: str, place: int, moment: datetime) -> Hashable:
    return moment.strftime(_PERIODS[rule]) if rule in _PERIODS else place


def _series(info: SnapshotInfo) -> Hashable:
    """What is backed up again and again: by which plan of which station, and which paths.

    Not the chain, for a copied or repaired backup stands in another one.
    """
    parts = ((each.name, each.kind, roots(each.details)) for each in info.components)
    return info.station, info.plan, frozenset(parts)


def roots(details: dict[str, object]) -> tuple[str, ...]:
    """The paths that a component was asked for, in order; none if it has no paths."""
    found = details.get("roots")
    return tuple(sorted(map(str, found))) if isinstance(found, list) else ()
