"""Where stories are told, and where the disks that a power cut leaves are looked into."""

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from chaos.disk import Contents, Disk, Loss, read_tree, shape, write_tree
from chaos.orderly import ORDER
from chaos.scenarios import Scenario, Story, replay
from chaos.world import create_at, fresh, other_than, tidy


class Laboratory:
    """Lets a story happen, then looks at what may be left of it on the disk."""

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

    def watch(self, happen: Callable[[Path], Story]) -> tuple[Story, Disk]:
        """Let it happen in a copy."""
        write_tree(fresh(self._place), read_tree(self._origin))
        write_tree(fresh(other_than(self._place)), self._other)
        ORDER.begin(100)
        disk = Disk(self._place)
        story = happen(self._place)
        followed = Disk(self._origin)
        for _ in replay(story, followed):
            pass
        assert followed.visible() == read_tree(self._place), "a change went unseen"
        return story, disk

    def cut(self, story: Story, disk: Disk, points: Container[int], random: Random) -> None:
        """Let the power fail at these points: with all that is not synced, then with some of it."""
        for point in replay(story, disk):
            for loss in (Loss.ALL, Loss.SOME) if point in points else ():
                found = disk.after_a_cut(loss, random)
                with noted(f"change {point}, {loss} unsynced lost"):
                    self.look(story, point, found)

    def look(self, story: Story, point: int, found: Contents) -> None:
        """Fail unless a disk with these contents keeps the promises, and the work goes on there."""
        promise = story.promise(point)
        state = shape(found), promise.kept, promise.gone
        if state in self._seen:
            return
        self._seen.add(state)
        self.states += 1
        write_tree(fresh(self._place), found)
        ORDER.begin(200)
        promise.holds(self._place)
        story.go_on(point, self._place)
        tidy(self._place)
        story.promise(len(story.changes)).holds(self._place)


@contextmanager
def noted(circumstances: str) -> Iterator[None]:
    """Say under what circumstances something failed."""
    try:
        yield
    except Exception as error:
        error.add_note(circumstances)
        raise
