from common.childprocess.progress import Progress
from common.messages import JobProgressed


async def test_rate_and_time_to_go() -> None:
    """A progress bar without them does not say whether to wait or to go home."""
    now, seen = [0.0], list[JobProgressed]()
    progress = Progress("b1", "backup", seen.append, clock=lambda: now[0])
    for second in range(1, 6):
        now[0] = float(second)
        await progress(
            {"phase": "files", "done_bytes": second * 100, "total_bytes": 1000, "entries": second}
        )
    assert seen[-1].bytes_per_second == 100.0
    assert seen[-1].eta_seconds == 5.0
    assert seen[-1].entries == 5


async def test_counting_from_zero_begins_anew() -> None:
    """A negative rate would be shown as such."""
    now, seen = [0.0], list[JobProgressed]()
    progress = Progress("b1", "backup", seen.append, clock=lambda: now[0])
    for done in (500, 1000, 10, 30):
        now[0] += 1.0
        await progress({"phase": "files", "done_bytes": done})
    assert [event.bytes_per_second for event in seen] == [500.0, 500.0, 0.0, 20.0]
    assert seen[-1].eta_seconds is None


async def test_the_last_backup_tells_how_long_this_one_takes() -> None:
    """Nobody knows the size of a tree before it is read; the same plan's last run is a guide."""
    now, seen = [0.0], list[JobProgressed]()
    progress = Progress("b1", "backup", seen.append, expected_bytes=1000, clock=lambda: now[0])
    for done in (100, 1200):
        now[0] += 1.0
        await progress({"phase": "files", "done_bytes": done, "total_bytes": None})
    assert [event.eta_seconds for event in seen] == [9.0, None]
    assert seen[0].total_bytes is None
