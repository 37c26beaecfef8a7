"""What is read for a run in one go."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from common.repository.found import Found, size_of
from common.repository.ingesting.reading import Outcome
from common.repository.ingesting.stretch import Stretch

MOST_FILES = 128
MOST_BYTES = 8 * 1024**2


class Task:
    """Files by their numbers in a stretch. ``size`` is how many bytes they seem to have."""

    __slots__ = ("files", "numbers", "size", "stretch")

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.numbers: list[int] = []
        self.files: list[Found] = []
        self.size = 0

    def files_to_read(self) -> Iterator[tuple[int, bytes, bytes]]:
        """What is read: its open folder, its name there, and the state in which it was seen."""
        states = self.stretch.states
        for number, found in zip(self.numbers, self.files, strict=True):
            yield found.folder.descriptor, found.name, states[number]

    def done(self, outcomes: Iterable[Outcome], others: Mapping[int, bytes]) -> None:
        """Note what came of each file, and the ``others``: in which state those were read, by
        their place among the files, that were not as they were seen.
        """
        self.stretch.outcomes.update(zip(self.numbers, outcomes, strict=True))
        for place, state in others.items():
            self.stretch.others[self.numbers[place]] = state
        self.stretch.waiting -= 1


class Readers(Protocol):
    """Whoever reads the files of tasks."""

    def submit(self, task: Task, *, last: bool = False) -> None:
        """Have a task done, now or later; waits while too many are being done.

        After the ``last`` one nothing of this tree is left to do but to wait for it.
        """

    def wait(self) -> None:
        """Wait until some more of what was submitted is done."""


def tasks(stretch: Stretch, wanted: Iterable[tuple[int, Found]]) -> Iterator[Task]:
    """These files of a stretch, so that no task takes much longer than others if it can be."""
    task = Task(stretch)
    for number, found in wanted:
        size = size_of(found.state)
        full = task.size + size > MOST_BYTES or len(task.files) >= MOST_FILES
        if task.files and full:
            yield task
            task = Task(stretch)
        task.numbers.append(number)
        task.files.append(found)
        task.size += size
    if task.files:
        yield task
