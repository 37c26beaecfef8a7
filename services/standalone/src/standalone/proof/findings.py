"""What a comparison came to."""

from collections.abc import Callable
from dataclasses import dataclass, field

Alive = Callable[[], None]
"""Called between steps; raises when the work is to stop."""

MOST_NAMED = 20


@dataclass(slots=True)
class Comparison:
    """What was compared, what differs, and what says nothing: changed since, or unreadable."""

    compared: str = ""
    since: str = ""
    changed_since: int = 0
    unreadable: int = 0
    differences: list[str] = field(default_factory=list)
    unnamed: int = 0

    def differ(self, what: str) -> None:
        """Note a difference; past the first ones they are only counted."""
        if len(self.differences) < MOST_NAMED:
            self.differences.append(what)
        else:
            self.unnamed += 1

    @property
    def ok(self) -> bool:
        """Whether what came back is what was there."""
        return not self.differences
