"""Several actors at once, of whom one goes on at a time: chance says whose turn it is."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Semaphore, current_thread

LOYALTIES = (0.0, 0.5, 0.9, 0.97)
"""How probable it is that one who could hand the turn on keeps it: from a zip to long stretches."""

SPEEDS = (1, 1, 0.2, 0.03)
"""How often the turn is an actor's, compared to others: what is slow has much happen meanwhile."""


class Turns:
    """Whose turn it is. An actor goes on until it calls ``pass_on`` or ``wait``, or ends."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._loyalty = random.choice(LOYALTIES)
        self._gates: list[Semaphore] = []
        self._at_work: list[int] = []
        self._speeds: list[float] = []
        self.actor = 0

    def run(self, actors: Sequence[Callable[[], None]]) -> None:
        """Let all of them do their work; raise what one of them raised."""
        self._gates = [Semaphore(0) for _ in actors]
        self._at_work = list(range(len(actors)))
        self._speeds = self._random.choices(SPEEDS, k=len(actors))
        with ThreadPoolExecutor(len(actors)) as pool:
            ends = [pool.submit(self._work, *each) for each in enumerate(actors)]
            self._give()
        for end in ends:
            end.result()

    def pass_on(self) -> None:
        """Another one may go on before this one does."""
        if self._random.random() >= self._loyalty:
            self.wait()

    def wait(self) -> None:
        """Another one goes on before this one does, if there is one."""
        me = self.actor
        assert current_thread().name == f"actor_{me}", "a call out of turn"
        if self._at_work != [me]:
            self._give(besides=me)
            self._gates[me].acquire()

    def monotonic(self) -> float:
        """Seconds, as locks see them: none goes by, so that nobody gives up."""
        return 0.0

    def sleep(self, _seconds: float) -> None:
        """Wait, as locks do."""
        self.wait()

    def _work(self, me: int, actor: Callable[[], None]) -> None:
        current_thread().name = f"actor_{me}"
        self._gates[me].acquire()
        try:
            actor()
        finally:
            self._at_work.remove(me)
            if self._at_work:
                self._give()

    def _give(self, besides: int = -1) -> None:
        others = [each for each in self._at_work if each != besides]
        (self.actor,) = self._random.choices(others, [self._speeds[each] for each in others])
        self._gates[self.actor].release()
