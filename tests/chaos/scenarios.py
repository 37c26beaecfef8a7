"""Stories of a repository: what was done before, what is going on, and how it may be disturbed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from chaos.calls import CHANGES, Call, watched
from chaos.disk import Disk
from chaos.orderly import ORDER
from chaos.world import MENDS, Promise, Step, noise
from common.errors import Conflict
from mortal import Killed

COMMON = {b"same/%d" % number: noise(3_000, number) for number in range(6)}


def backup(name: str, size: int = 14_000) -> Step:
    """A backup of two files of its own and six that all backups share."""
    own = {b"own/a": noise(size, name), b"own/b": noise(700, name + "b")}
    return Step("backup", name, {**COMMON, **own})


def forget(name: str) -> Step:
    """The deletion of a backup."""
    return Step("forget", name)


PRUNE, ROTATE, RECOVERY = Step("prune"), Step("rotate"), Step("recovery")
CHANGE_KEY = Step("change key")
RETIRE, NEXT_PRUNE = Step("retire"), Step("prune", "next")
REINDEX, FETCH, SALVAGE = Step("reindex"), Step("fetch"), Step("salvage")


def elsewhere(*steps: Step) -> Step:
    """These steps, in a copy of the repository."""
    return Step("elsewhere", within=steps)


def copy(*steps: Step) -> Step:
    """The copying of what ``elsewhere`` has done by these steps."""
    return Step("copy", within=steps)


def damage(name: str) -> Step:
    """Damage to a backup."""
    return Step("damage", name)


@dataclass(frozen=True, slots=True)
class Scenario:
    """``before`` is over and durable; ``steps`` go on, one after the other; ``beside`` them others
    do theirs.
    """

    name: str
    before: tuple[Step, ...]
    steps: tuple[Step, ...]
    beside: tuple[tuple[Step, ...], ...] = ()


A, B, C = backup("a"), backup("b"), backup("c", 25_000)
A2 = Step("backup", "a2", A.files)
SCENARIOS = (
    Scenario("first backup", (), (A,)),
    Scenario("next backup", (A,), (B,)),
    Scenario("forget", (A, B), (forget("a"),)),
    Scenario("prune", (A, B, forget("a")), (PRUNE,)),
    Scenario("prune of all", (A, forget("a")), (PRUNE, B)),
    Scenario("forget and prune", (A, B, C), (forget("b"), PRUNE, PRUNE)),
    Scenario("prune and backup", (A, B, forget("a")), (PRUNE, C, A2)),
    Scenario("rotate", (A, B), (ROTATE,)),
    Scenario("rotate and backup", (A,), (ROTATE, B)),
    Scenario("both keys", (A, B), (CHANGE_KEY, ROTATE, C)),
    Scenario("recovery key", (A, B), (RECOVERY, C)),
    Scenario("index", (A, B), (REINDEX,)),
    Scenario("index made anew", (A, B, forget("a")), (REINDEX, PRUNE, C)),
    Scenario("repair from a copy", (A, B, elsewhere(), damage("a")), (FETCH,)),
    Scenario("repair without a copy", (A, B, damage("a")), (SALVAGE,)),
    Scenario("repair and backup", (A, B, damage("a")), (SALVAGE, A2)),
    Scenario("first copy", (elsewhere(A, B), Step("vanish")), (copy(A, B),)),
    Scenario(
        "next copy",
        (elsewhere(A), copy(A), elsewhere(forget("a"), PRUNE, B, RECOVERY)),
        (copy(forget("a"), B), PRUNE),
    ),
    Scenario(
        "copy after a rotation",
        (elsewhere(A, B), copy(A, B), elsewhere(forget("a"), PRUNE, ROTATE, C)),
        (copy(forget("a"), C),),
    ),
    Scenario(
        "copy after both keys were changed",
        (elsewhere(A, B), copy(A, B), elsewhere(CHANGE_KEY, ROTATE, C)),
        (copy(C),),
    ),
    Scenario("everything", (A, B), (C, forget("a"), PRUNE, ROTATE, backup("d"))),
)


@dataclass(slots=True)
class Story:
    """What happened: every change in order, and between them what was promised."""

    scenario: Scenario
    changes: list[Call] = field(default_factory=list)
    done: list[tuple[int, Step]] = field(default_factory=list)
    begun: list[tuple[int, Step]] = field(default_factory=list)

    def promise(self, point: int) -> Promise:
        """What holds after so many changes."""
        before = [part for step in self.scenario.before for part in step.parts]
        over = before + [part for at, step in self.done if at <= point for part in step.parts]
        begun = before + [part for at, step in self.begun if at <= point for part in step.parts]
        ever = [*self.scenario.before, *self.scenario.steps, *(step for _, step in self.begun)]
        anywhere = [each for step in ever for each in (step, *step.within)]
        contents = {step.name: step.files for step in anywhere if step.kind == "backup"}
        kept = {step.name for step in over if step.kind == "backup"}
        doubtful = {step.name for step in begun if step.kind == "forget"}
        gone = {step.name for step in over if step.kind == "forget"}
        kinds = {step.kind for step in over}
        sound = "damage" not in kinds or bool(kinds & MENDS)
        return Promise(contents, frozenset(kept - doubtful), frozenset(gone), sound)

    def note(self, call: Call, path: Path) -> None:
        """Write down a change. Files that are written now are of now, by the clock of a prune."""
        if call.kind in {"create", "write"}:
            os.utime(path / call.path, (ORDER.time(), ORDER.time()))
        if call.kind in CHANGES:
            self.changes.append(call)

    @contextmanager
    def noted(self, step: Step) -> Iterator[None]:
        """Write down that a step begins and, if it does, that it ends."""
        if all(step != other for _, other in self.begun):
            self.begun.append((len(self.changes), step))
        yield
        self.done.append((len(self.changes), step))

    def go_on(self, point: int, path: Path) -> None:
        """Do what is left after so many changes."""
        for step in self.left(point):
            step.do(path)

    def left(self, point: int) -> list[Step]:
        """What is not over after so many changes, in the order in which it was begun."""
        over = [step for at, step in self.done if at <= point]
        return [step for _, step in self.begun if step not in over]


@dataclass(frozen=True, slots=True)
class Plan:
    """How step number ``step`` is disturbed.

    Without a ``visitor`` the process is killed before its change number ``at``, and another one
    does the step again. With one, another process does that meanwhile, from its beginning to its
    end, before call number ``at``, be it a change or not.
    """

    step: int
    at: int
    visitor: Step | None = None

    @staticmethod
    def draw(random: Random, scenario: Scenario) -> "Plan":
        """Some plan for this scenario."""
        step = random.randrange(len(scenario.steps))
        at = int(200 * random.random() ** 2)
        return Plan(step, at, random.choice([None, *visitors(scenario)]))


def visitors(scenario: Scenario) -> list[Step]:
    """What others may do meanwhile."""
    visitor, kinds = backup("visitor"), {step.kind for step in scenario.before + scenario.steps}
    if "copy" in kinds:  # into a copy nobody writes but who copies
        return [elsewhere(step) for step in (visitor, PRUNE, ROTATE)]
    if "damage" in kinds:  # what relies on damage meanwhile takes part in it
        return [visitor] if "fetch" in kinds else []
    return [visitor, PRUNE, ROTATE, REINDEX, *(forget(each.name) for each in scenario.before[:1])]


class _Narrator:
    """Writes down what happens, and disturbs it once as planned."""

    def __init__(self, story: Story, plan: Plan | None, path: Path) -> None:
        self._story = story
        self._plan = plan
        self._path = path
        self._left = -1
        self.dead = False

    def begin(self, number: int) -> None:
        """Step ``number`` begins."""
        planned = self._plan is not None and self._plan.step == number
        self._left = self._plan.at if self._plan is not None and planned else -1

    def before(self, call: Call) -> None:
        if self.dead:
            raise Killed
        if self._left < 0 or self._plan is None:
            return
        self._left -= call.kind in CHANGES or self._plan.visitor is not None
        if self._left >= 0:
            return
        if self._plan.visitor is None:
            self.dead = True
            raise Killed
        with (
            suppress(Conflict),
            self._story.noted(self._plan.visitor),
        ):  # it may have to wait, and gives up
            self._plan.visitor.do(self._path)

    def after(self, call: Call) -> None:
        self._story.note(call, self._path)


def tell(scenario: Scenario, path: Path, plan: Plan | None = None) -> Story:
    """Let it happen in the folder ``path``, which ``before`` has been done in."""
    story = Story(scenario)
    narrator = _Narrator(story, plan, path)
    with watched(path, narrator):
        for number, step in enumerate(scenario.steps):
            narrator.begin(number)
            try:
                with story.noted(step):
                    step.do(path)
            except Killed:
                narrator.dead = False
                with story.noted(step):
                    step.do(path)
            except Conflict:
                # The visitor took what this relied on: it says so, and is done again.
                assert plan is not None
                assert plan.visitor is not None
                with story.noted(step):
                    step.do(path)
    return story


def replay(story: Story, disk: Disk) -> Iterator[int]:
    """Apply the changes to the disk, pausing before the first and after each of them."""
    yield 0
    for number, change in enumerate(story.changes):
        disk.apply(change)
        yield number + 1
