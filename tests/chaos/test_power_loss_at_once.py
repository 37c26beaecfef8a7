"""Power fails while two writers and a prune are at work, their calls interleaved by a seed.

Afterwards all of them begin anew, at once again, beside what the dead left.
"""

from functools import partial
from random import Random

import pytest

from chaos.laboratory import Laboratory, noted
from chaos.meeting import meet
from chaos.scenarios import (
    A2,
    NEXT_PRUNE,
    PRUNE,
    RETIRE,
    ROTATE,
    A,
    B,
    C,
    Scenario,
    backup,
    forget,
)
from chaos.settings import seeds
from chaos.world import Step

POINTS = 2
A3, D = Step("backup", "a3", A.files), backup("d", 9_000)
MEETINGS = (
    Scenario("first backups", (), (A, C), ((A2, forget("a2")), (PRUNE, NEXT_PRUNE))),
    Scenario("in use", (A, B, forget("a")), (A2, forget("a2")), ((A3, D), (PRUNE, NEXT_PRUNE))),
    Scenario(
        "stored again",
        (A, B, forget("a"), RETIRE),
        (A2,),
        ((D, A3), (PRUNE, forget("b"), NEXT_PRUNE)),
    ),
    Scenario("other keys", (A, B, forget("a")), (A2,), ((A3, D), (ROTATE, PRUNE))),
)


@pytest.mark.parametrize("scenario", MEETINGS, ids=lambda each: str(each.name))
def test_power_may_fail_while_several_are_at_work(
    laboratory: Laboratory, scenario: Scenario
) -> None:
    """Lost: a backup that rests on what another one or a prune had just written or removed."""
    laboratory.prepare(scenario)
    for seed in seeds(64):
        with noted(f"seed {seed}"):
            _look_into(laboratory, scenario, f"{seed} {scenario.name}")


def _look_into(laboratory: Laboratory, scenario: Scenario, seed: str) -> None:
    random = Random(seed)
    story, disk = laboratory.watch(partial(meet, scenario, seed))
    points = {*random.sample(range(len(story.changes)), POINTS), len(story.changes)}
    laboratory.cut(story, disk, points, random)
