from typing import Any

from common.childprocess.progress import Progress
from common.messages import JobProgressed


class Job:
    """Takes what a child says, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seen: list[JobProgressed] = []
        self._progress = Progress("b1", "backup", self.seen.append, clock=lambda: self.now)

    async def hear(self, seconds: float, done: int, **fields: Any) -> JobProgressed:
        self.now += seconds
        await self._progress({"phase": "files", "done_bytes": done, **fields})
        return self.seen[-1]


async def test_rate_and_time_to_go() -> None:
    """A progress bar without them does not say whether to wait or to go home."""
    job = Job()
    for second in range(1, 6):
        told = await job.hear(1, second * 100, total_bytes=1000, entries=second)
    assert told.bytes_per_second == 100.0
    assert told.eta_seconds == 5.0
    assert told.entries == 5


async def test_counting_from_zero_begins_anew() -> None:
    """A negative rate would be shown as such."""
    job = Job()
    seen = [await job.hear(1, done) for done in (500, 1000, 10, 30)]
    assert [told.bytes_per_second for told in seen] == [500.0, 500.0, 0.0, 20.0]
    assert seen[-1].eta_seconds is None


async def test_a_total_comes_when_it_is_counted() -> None:
    """Lost: that percent and time to go are on the way; then both of them."""
    job = Job()
    told = await job.hear(1, 100, counting=True)
    assert (told.counting, told.total_bytes, told.eta_seconds) == (True, None, None)
    told = await job.hear(3, 400, total_bytes=1200, total_entries=0)
    assert (told.counting, told.total_bytes, told.eta_seconds) == (False, 1200, 8.0)
    assert (await job.hear(1, 1300, total_bytes=1200)).eta_seconds is None


async def test_small_files_after_large_ones_are_foreseen() -> None:
    """Lost: hours, where ten thousand small files come after the film that went by in a minute."""
    job, mib = Job(), 2**20
    for second in range(1, 21):  # a film of 2 GB
        told = await job.hear(1, second * 100 * mib, total_bytes=2001 * mib, total_entries=90_001)
        assert (told.eta_seconds is None) == (second < 3)  # too soon to tell
    assert 15 < (told.eta_seconds or 0) < 30


async def test_a_start_foretells_nothing() -> None:
    """Lost: hours that are said and turn out to be a minute; or any word, where all goes slowly."""
    job = Job()
    assert (await job.hear(5, 10, total_bytes=1000)).eta_seconds is None
    assert (await job.hear(26, 15, total_bytes=1000)).eta_seconds is not None


async def test_what_is_only_counted_has_a_time_to_go() -> None:
    """Lost: whether to wait for a job that reads nothing worth telling: 100 keys, 400 to go."""
    job = Job()
    for second in range(1, 6):
        told = await job.hear(1, 0, entries=second * 20, total_entries=500)
    assert (told.bytes_per_second, told.eta_seconds) == (0.0, 20.0)
