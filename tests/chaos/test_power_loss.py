"""Power fails at every moment of every kind of work; what POSIX allows a disk to lose is lost.

The states of the disk come from the calls that were really made. ``CHAOS=10`` tries ten times as
many, ``CHAOS_SEED`` others.
"""

from functools import partial
from random import Random

import pytest

from chaos.disk import Loss
from chaos.laboratory import Laboratory, noted
from chaos.scenarios import SCENARIOS, Plan, Scenario, replay, tell
from chaos.settings import FACTOR, seeds
from chaos.world import MENDS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: str(each.name))
def test_power_may_fail_at_any_moment(laboratory: Laboratory, scenario: Scenario) -> None:
    """Lost: backups that were reported as done, or all of them, by a cut at the wrong moment."""
    laboratory.prepare(scenario)
    story, disk = laboratory.watch(partial(tell, scenario))
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
        story, disk = laboratory.watch(partial(tell, scenario, plan=plan))
        points = set(random.sample(range(len(story.changes) + 1), 4)) | {len(story.changes)}
        with noted(f"seed {seed}, {plan}"):
            laboratory.cut(story, disk, points, random)


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
    undisturbed, _ = laboratory.watch(partial(tell, scenario))
    stride = 3 if scenario.steps[0].kind in MENDS and FACTOR < 3 else 1  # they make many changes
    for at in range(0, len(undisturbed.changes), stride):
        story, disk = laboratory.watch(partial(tell, scenario, plan=Plan(0, at)))
        for _ in replay(story, disk):
            pass
        found = disk.after_a_cut(Loss.ALL, Random(0))
        with noted(f"killed before change {at}: {undisturbed.changes[at]!r:.200}"):
            laboratory.look(story, len(story.changes), found)
