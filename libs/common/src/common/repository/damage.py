"""The error that an object is not as it must be."""

import errno
from typing import Any

from common.errors import Corrupt, Unavailable


class Damaged(Corrupt):
    """An object that is needed is damaged or missing. ``name`` is the object's."""

    def __init__(self, message: str, *, name: str, missing: bool = False) -> None:
        super().__init__(message)
        self.name = name
        self.missing = missing

    def __reduce__(self) -> tuple[Any, ...]:
        """It may come from another process."""
        return _again, (self.message, self.name, self.missing)

    @classmethod
    def gone(cls, name: str) -> "Damaged":
        """The object is not there."""
        return cls(f"{name} is missing.", name=name, missing=True)

    @classmethod
    def because(cls, name: str, error: Corrupt) -> "Damaged":
        """The object is there and something is wrong with it."""
        if isinstance(error, Damaged):
            return error
        known = name in error.message
        return cls(error.message if known else f"{name} is damaged: {error.message}", name=name)

    @classmethod
    def unread(cls, name: str, error: Unavailable) -> "Damaged":
        """The disk cannot read this part of the object. Raises ``error`` when it is another."""
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.EIO:
            raise error
        return cls(f"{name} is damaged: its disk cannot read all of it.", name=name)


def _again(message: str, name: str, missing: bool) -> Damaged:
    return Damaged(message, name=name, missing=missing)
