"""Power fails at every moment of every kind of work; what POSIX allows a disk to lose is lost.

The states of the disk come from the calls that were really made. ``CHAOS=10`` tries ten times as
many, ``CHAOS_SEED`` others.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from chaos.disk import Contents, Disk, Loss, read_tree, shape, write_tree
from chaos.orderly import ORDER, small_and_orderly
from chaos.scenarios import SCENARIOS, Plan, Scenario, Story, replay, tell
from chaos.settings import FACTOR, seeds
from chaos.world import MENDS, create_at, fresh, other_than, tidy


class Laboratory:
    """Tells a story, then looks at what may be left of it on the disk."""

    def __init__(self, folder: Path, config: bytes) -> None:
        self._origin = folder / "origin"
        self._place = folder / "place"
        self._config = config
        self._other: Contents = {}
        self._seen: set[object] = set()
        self.states = 0

    def prepare(self, scenario: Scenario) -> None:
        """Do what lies before it."""
        self._seen.clear()
        ORDER.begin(0)
        fresh(other_than(self._origin))
        create_at(fresh(self._origin), self._config)
        for step in scenario.before:
            step.do(self._origin)
        if other_than(self._origin).exists():
            self._other = read_tree(other_than(self._origin))

    def tell(self, scenario: Scenario, plan: Plan | None = None) -> tuple[Story, Disk]:
        """Let it happen in a copy."""
        write_tree(fresh(self._place), read_tree(self._origin))
        write_tree(fresh(other_than(self._place)), self._other)
        ORDER.begin(1)
        disk = Disk(self._place)
        story = tell(scenario, self._place, plan)
        followed = Disk(self._origin)
        for _ in replay(story, followed):
            pass
        assert followed.visible() == read_tree(self._place), "a change went unseen"
        return story, disk

    def look(self, story: Story, point: int, found: Contents) -> None:
        """Fail unless a disk with these contents keeps the promises, and the work goes on there."""
        promise = story.promise(point)
        state = shape(found), promise.kept, promise.gone
        if state in self._seen:
            return
        self._seen.add(state)
        self.states += 1
        write_tree(fresh(self._place), found)
        ORDER.begin(2)
        promise.holds(self._place)
        for step in story.left(point):
            step.do(self._place)
        tidy(self._place)
        story.promise(len(story.changes)).holds(self._place)


@pytest.fixture
def laboratory(memory: Path, config: bytes) -> Iterator[Laboratory]:
    with small_and_orderly():
        yield Laboratory(memory, config)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: str(each.name))
def test_power_may_fail_at_any_moment(laboratory: Laboratory, scenario: Scenario) -> None:
    """Lost: backups that were reported as done, or all of them, by a cut at the wrong moment."""
    laboratory.prepare(scenario)
    story, disk = laboratory.tell(scenario)
    random = Random(scenario.name)
    for point in replay(story, disk):
        for loss in Loss:
            laboratory.look(story, point, disk.after_a_cut(loss, random))
    assert laboratory.states > len(story.changes) / 10


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: str(each.name))
def test_power_may_fail_after_a_kill_or_a_meeting(
    laboratory: Laboratory, scenario: Scenario
) -> None:
    """Lost: what a process relied on that it saw, and that its dead author had not made durable."""
    laboratory.prepare(scenario)
    for seed in seeds(4):
        random = Random(f"{seed} {scenario.name}")
        plan = Plan.draw(random, scenario)
        story, disk = laboratory.tell(scenario, plan)
        points = set(random.sample(range(len(story.changes) + 1), 4)) | {len(story.changes)}
        for point in replay(story, disk):
            if point in points:
                for loss in (Loss.ALL, Loss.SOME):
                    found = disk.after_a_cut(loss, random)
                    try:
                        laboratory.look(story, point, found)
                    except Exception as error:
                        error.add_note(f"seed {seed}, {plan}, change {point}, {loss} unsynced lost")
                        raise


@pytest.mark.parametrize(
    "scenario",
    [each for each in SCENARIOS if len(each.steps) == 1],
    ids=lambda each: str(each.name),
)
def test_what_the_dead_made_visible_is_durable_before_it_is_relied_on(
    laboratory: Laboratory, scenario: Scenario
) -> None:
    """Lost: a backup that rests on a name which a killed process had not yet made durable."""
    laboratory.prepare(scenario)
    undisturbed, _ = laboratory.tell(scenario)
    stride = 3 if scenario.steps[0].kind in MENDS and FACTOR < 3 else 1  # they make many changes
    for at in range(0, len(undisturbed.changes), stride):
        story, disk = laboratory.tell(scenario, Plan(0, at))
        for _ in replay(story, disk):
            pass
        found = disk.after_a_cut(Loss.ALL, Random(0))
        try:
            laboratory.look(story, len(story.changes), found)
        except Exception as error:
            error.add_note(f"killed before change {at}: {undisturbed.changes[at]!r:.200}")
            raise
