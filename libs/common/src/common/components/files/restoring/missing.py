"""What a restore does not bring back, and why. It stops nothing, and is told at the end."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from common.components.component import PlacedInPart, RestoredInPart, RestoreOutcome
from common.components.files.restoring.selecting import Wanted
from common.components.names import show
from common.components.notes import Notes, raise_if_full

T = TypeVar("T")


class Missing:
    """``failed`` and ``refused`` are paths in the target, ``lost`` those of entries.

    A device that this account may not make is refused: that is a warning (``warn``), no failure.
    """

    def __init__(self, warn: Callable[[str, bytes], None]) -> None:
        self.failed: set[bytes] = set()
        self.refused: set[bytes] = set()
        self.lost: dict[bytes, None] = {}
        self._warn = warn
        self._reasons = Notes()

    def attempt(self, act: Callable[[Wanted], T], wanted: Wanted) -> T | None:
        """What ``act`` returns; None where it failed."""
        try:
            return act(wanted)
        except OSError as error:
            self.fail(wanted.path, error)
            return None

    def fail(self, path: bytes, error: OSError) -> None:
        """A path failed. Raises ``NoSpace`` where all that is to come would fail, too."""
        raise_if_full(error, show(path))
        self.note(path, error.strerror or str(error))

    def note(self, path: bytes, reason: str) -> None:
        """A path failed for this reason."""
        self._reasons.add(reason, path)
        self.failed.add(path)

    def refuse(self, path: bytes) -> None:
        """A device could not be made."""
        self.refused.add(path)
        self._warn("device not restored", path)

    def lose(self, paths: Iterable[bytes]) -> None:
        """The repository has lost the content of these entries."""
        self.lost.update(dict.fromkeys(paths))

    def tell(self, outcome: RestoreOutcome, *, damaged: bool) -> None:
        """Raise what there is to say; ``damaged``: the repository has lost entries without a name.

        Raises:
            PlacedInPart: something is not there; all the rest is.
            RestoredInPart: the same, because the repository has lost it.
        """
        for path in self.lost:
            self._reasons.add("lost by the repository", path)
        reasons = "; ".join(self._reasons.lines())
        if self.lost or damaged:
            reasons = reasons or "some entries lost by the repository"
            raise RestoredInPart(
                f"Not everything was restored. {reasons}.",
                paths=tuple(self.lost),
                outcome=outcome,
            )
        if self._reasons:
            raise PlacedInPart(
                f"Not everything was restored. {reasons}.",
                remedy="The rest is in place; restore these again when the reason is gone.",
                outcome=outcome,
            )
