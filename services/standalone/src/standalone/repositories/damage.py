"""Damage met on the way: told at once, and by the exit code at the end."""

from common.errors import Corrupt
from common.repository.damage import Damaged
from standalone import console, text


class Met:
    """Collects the damage that a command meets while it does what it can."""

    def __init__(self) -> None:
        self._objects: set[str] = set()

    def note(self, error: Damaged) -> None:
        """Tell it, once for each object."""
        if error.name not in self._objects:
            self._objects.add(error.name)
            console.warn(error.message)

    def tell(self) -> None:
        """Raise ``Corrupt`` if there was any."""
        if self._objects:
            raise Corrupt(
                f"{text.count(len(self._objects), 'object')} could not be read:"
                " this is not everything.",
                remedy="strongroom repo check --read-data says what is affected.",
            )
