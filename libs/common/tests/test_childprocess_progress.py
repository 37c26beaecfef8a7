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


async def test_a_new_phase_begins_anew() -> None:
    """Bytes counted from zero again would make a negative rate."""
    now, seen = [0.0], list[JobProgressed]()
    progress = Progress("b1", "backup", seen.append, clock=lambda: now[0])
    for phase, done in (("files", 500), ("files", 1000), ("database", 10), ("database", 30)):
        now[0] += 1.0
        await progress({"phase": phase, "done_bytes": done})
    assert [event.bytes_per_second for event in seen] == [0.0, 500.0, 0.0, 20.0]
    assert seen[-1].eta_seconds is None
