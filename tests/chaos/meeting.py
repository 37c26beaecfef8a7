"""A story of several who work in one repository at once, taking turns at every call."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from chaos.calls import CHANGES, Call, watched
from chaos.scenarios import Scenario, Story
from chaos.turns import Turns
from chaos.world import Step
from mortal import Killed


@dataclass(slots=True)
class Meeting(Story):
    """What happened when all took turns as the seed said."""

    seed: str = ""

    def go_on(self, point: int, path: Path) -> None:
        """Do what is left, at once again."""
        left = self.left(point)
        mine, *others = (
            tuple(step for step in steps if step in left)
            for steps in (self.scenario.steps, *self.scenario.beside)
        )
        rest = replace(self.scenario, steps=mine, beside=tuple(others))
        _Director(Meeting(rest, seed=f"{self.seed}, then {point}"), path).direct()


def meet(scenario: Scenario, seed: str, path: Path) -> Meeting:
    """Let it happen in the folder ``path``. For every other seed somebody is killed in the middle,
    and a successor does the same work.
    """
    story, random = Meeting(scenario, seed=seed), Random(seed)
    victim = random.choice([None, random.randrange(1 + len(scenario.beside))])
    _Director(story, path, victim, int(200 * random.random() ** 2)).direct()
    return story


class _Director:
    """Gives everyone turns and writes down what happens. The victim dies before a change."""

    def __init__(
        self, story: Meeting, path: Path, victim: int | None = None, lives: int = 0
    ) -> None:
        self._story = story
        self._path = path
        self._turns = Turns(Random(story.seed))
        self._victim = victim
        self._lives = lives

    def direct(self) -> None:
        """Let everyone do everything."""
        steps = self._story.scenario.steps, *self._story.scenario.beside
        with watched(self._path, self), pytest.MonkeyPatch.context() as patch:
            patch.setattr("common.repository.lock.time", self._turns)
            self._turns.run([partial(self._act, each) for each in steps])

    def before(self, call: Call) -> None:
        """Let others come in between; or die."""
        self._turns.pass_on()
        if self._turns.actor == self._victim:
            self._lives -= call.kind in CHANGES
            if self._lives < 0:
                raise Killed

    def after(self, call: Call) -> None:
        """A call was made."""
        self._story.note(call, self._path)

    def _act(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            with self._story.noted(step):
                try:
                    step.do(self._path)
                except Killed:
                    self._victim = None
                    step.do(self._path)
