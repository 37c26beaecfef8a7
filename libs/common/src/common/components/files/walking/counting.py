"""Takes what a walk finds and counts it."""

import os
from collections.abc import Sequence
from contextlib import suppress

from common.components.component import Amount
from common.components.files.walking.seen import OPEN_FILE, Seen
from common.repository.entry import Entry
from common.repository.found import is_file, size_of
from common.repository.ingesting.regions import data_regions, may_have_holes


class Counter:
    """Entries, and bytes of content without the holes of sparse files."""

    def __init__(self) -> None:
        self._entries = self._size = 0

    @property
    def amount(self) -> Amount:
        """What was taken so far."""
        return Amount(self._entries, self._size)

    def add(self, entry: Entry) -> None:
        """An entry without content."""
        del entry
        self._entries += 1

    def add_found(self, found: Sequence[Seen]) -> None:
        """Whatever it is, not read."""
        self._entries += len(found)
        self._size += sum(_data(each) for each in found if is_file(each.state))

    def warn(self, message: str) -> None:
        """The backup says it."""


def _data(found: Seen) -> int:
    size = size_of(found.state)
    if not may_have_holes(found.status):
        return size
    with suppress(OSError):  # the backup says it
        file = os.open(found.name, OPEN_FILE, dir_fd=found.folder.descriptor)
        try:
            return sum(length for _, length in data_regions(file, size))
        finally:
            os.close(file)
    return size
