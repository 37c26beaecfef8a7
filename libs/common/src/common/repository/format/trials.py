"""Which of two ways of compressing suits a stream of records: both are tried now and then."""

_SHORTEST, _LONGEST = 4, 32
"""Records between two trials: more, each time that the same way wins again. The longest is what a
change of content may cost, and one record in 32 that the losing way compresses too.
"""

_DEARER = 200
"""A record by the quick way may be larger by one part in so many."""


class Trials:
    """One stream of records that are likely to be alike: the chunks of large files, or the bundles
    of small ones. Threads may share it: what they tell at the same moment counts once.
    """

    def __init__(self) -> None:
        self.quick = False
        """Whether the quick way won last."""

        self._until = 0
        self._pause = _SHORTEST

    def is_due(self) -> bool:
        """Whether the next record is to be compressed both ways; asked once for each."""
        if self._until <= 0:
            self._until = self._pause
            return True
        self._until -= 1
        return False

    def tell(self, dense: int, quick: int) -> None:
        """The sizes in bytes that a record has by the one and by the other."""
        won = quick * _DEARER <= dense * (_DEARER + 1)
        self._pause = min(2 * self._pause, _LONGEST) if won is self.quick else _SHORTEST
        self._until = min(self._until, self._pause)
        self.quick = won
