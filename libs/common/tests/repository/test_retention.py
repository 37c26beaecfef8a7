"""Rules keep what they promise. Otherwise backups are gone that somebody counted on."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from common.errors import Invalid
from common.repository.format.chunklist import ChunkList
from common.repository.format.snapshot import Link, Snapshot, StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.pruning.retention import Rules, decide

RULES = Rules(last=2, daily=3, weekly=4, monthly=3, yearly=3)
GOLDEN = """
2023-12-31 23:59
2024-12-29 10:00
2024-12-30 10:00 yearly
2025-12-28 10:00 weekly
2025-12-31 10:00 monthly yearly
2026-01-01 10:00 weekly
2026-01-30 10:00
2026-01-31 09:00
2026-01-31 09:00 daily weekly monthly
2026-02-03 00:00
2026-02-03 23:59 last daily
2026-02-04 00:00 last daily weekly monthly yearly
"""
START = datetime(2026, 2, 3, 22, tzinfo=UTC)


def test_what_is_kept_and_why() -> None:
    """Lost: the year, month, week or day that a rule was given for; ISO weeks cross new year."""
    lines = GOLDEN.strip().splitlines()
    moments = [datetime.fromisoformat(line[:16]) for line in lines]
    found = RULES.reasons(moments)
    assert [
        f"{line[:16]} {' '.join(why)}".rstrip() for line, why in zip(lines, found, strict=True)
    ] == lines
    kept = [moment for moment, why in zip(moments, found, strict=True) if why]
    assert all(RULES.reasons(kept))  # whoever was interrupted may begin again


@pytest.mark.parametrize("wrong", [{}, {"last": 0}, {"last": 3, "daily": -1}])
def test_no_rule_keeps_nothing(wrong: dict[str, int]) -> None:
    """Lost: everything, by a variable that was empty in a script."""
    with pytest.raises(Invalid):
        Rules(**wrong)


def info(name: str, hours: int = 0, **fields: Any) -> SnapshotInfo:
    roots = fields.pop("roots", ["/a", "/b"])
    files = StoredComponent("files", "files", 1, 1, 0, {"roots": roots}, ChunkList())
    link = Link(fields.pop("chain", "c"), 1, None)
    created = START + timedelta(hours=hours)
    body = Snapshot("backup", b"", 1, link, created, components=(files,), **fields)
    return SnapshotInfo(name, body)


def kept(*backups: SnapshotInfo, **rules: int) -> set[str]:
    zone, now = timezone(timedelta(hours=1)), START + timedelta(days=1)
    return {each.backup.id for each in decide(backups, Rules(**rules), zone, now) if each.reasons}


def test_each_series_is_for_itself() -> None:
    """Lost: the only backup of one thing, because another was backed up later."""
    others = [
        info("station", station="other"),
        info("plan", plan="other"),
        info("paths", roots=["/a"]),
    ]
    assert kept(*others, info("old"), info("new", 1), last=1) == {"station", "plan", "paths", "new"}
    assert kept(info("old"), info("new", 1, chain="copy/c", roots=["/b", "/a"]), last=1) == {"new"}


def test_days_begin_where_the_reader_is() -> None:
    """Lost: the evening's backup, which is of the day before by the clock on the wall."""
    assert kept(info("evening"), info("night", 1), daily=2) == {"evening", "night"}


def test_a_repaired_backup_stays_and_the_damaged_one_goes() -> None:
    """Lost: all that could be saved, as both have the same time."""
    damaged, repaired = info("a", finished=START), info("b", finished=START + timedelta(days=9))
    assert kept(repaired, damaged, daily=1) == {"b"}


def test_what_is_dated_ahead_takes_no_place() -> None:
    """Lost: the backup just made, when the clock was set back; or all of years, after it was ahead
    for one night.
    """
    ahead = info("ahead", 100), info("further", 90_000)
    assert kept(*ahead, info("just made"), last=1) == {"ahead", "further", "just made"}
    assert kept(*ahead, info("old"), info("new", 1), last=1, daily=1) == {"ahead", "further", "new"}
