"""How far a restore is, and of how much."""

from typing import Any

from restore_worker.metered import Meter


class Told:
    """Remembers the bytes done and in all."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int | None]] = []

    def progress(self, phase: str, **fields: Any) -> None:
        assert phase
        self.seen.append((fields["done_bytes"], fields["total_bytes"]))


def test_what_is_chosen_is_the_total_as_soon_as_it_is_known() -> None:
    """Lost: percent and time to go of a restore of some paths."""
    told = Told()
    meter = Meter(told, None)
    for component, size in (("one", 100), ("two", 50)):
        meter.begin(component)
        meter.expect(size)
        meter.read(size)
    assert told.seen == [(0, None), (0, 100), (100, 100), (100, None), (100, 150), (150, 150)]


def test_the_total_of_a_whole_backup_stays() -> None:
    """Lost: a bar that goes forward alone."""
    told = Told()
    meter = Meter(told, 150)
    meter.begin("one")
    meter.read(100)
    meter.begin("two")
    assert told.seen == [(0, 150), (100, 150), (100, 150)]
