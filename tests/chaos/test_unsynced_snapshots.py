"""What a snapshot says of others holds for ever: they are durable before it is."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest

from chaos.calls import Call, watched
from chaos.disk import Loss
from chaos.laboratory import Laboratory
from chaos.scenarios import PRUNE, A, B, C, Scenario, Story, forget, replay
from chaos.world import Step
from mortal import Killed

COMBINATIONS = 30
"""So many draws have every combination of two names that are kept or lost."""


class _Witness:
    """Writes down all changes; who makes ``snapshots`` durable dies instead, once."""

    def __init__(self, story: Story, path: Path) -> None:
        self._story = story
        self._path = path
        self.deadly = True

    def before(self, call: Call) -> None:
        if self.deadly and call == Call("sync", "snapshots"):
            raise Killed

    def after(self, call: Call) -> None:
        self._story.note(call, self._path)


def killed_and_followed(scenario: Scenario, path: Path) -> Story:
    """The first step dies when its snapshot has got its name; the second one goes on."""
    story = Story(scenario)
    first, second = scenario.steps
    watcher = _Witness(story, path)
    with watched(path, watcher):
        with suppress(Killed), story.noted(first):
            first.do(path)
        watcher.deadly = False
        with story.noted(second):
            second.do(path)
    return story


Z, FORGET = Step("backup", "z", A.files), forget("a")


@pytest.mark.parametrize(
    "steps",
    [(Z, C), (Z, FORGET), (FORGET, C), (FORGET, FORGET), (FORGET, PRUNE)],
    ids=lambda steps: " then ".join(step.kind for step in steps),
)
def test_what_a_snapshot_refers_to_is_durable(
    laboratory: Laboratory, steps: tuple[Step, Step]
) -> None:
    """Lost: for good, the proof that nobody removed a backup, by a cut soon after a kill."""
    scenario = Scenario("unsynced", (A, B), steps)
    laboratory.prepare(scenario)
    story, disk = laboratory.watch(partial(killed_and_followed, scenario))
    for point in replay(story, disk):
        for number in range(COMBINATIONS):
            laboratory.look(story, point, disk.after_a_cut(Loss.SOME, Random(number)))
