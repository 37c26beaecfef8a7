"""Walks that a scout goes ahead of, and what they give."""

import os
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from common.components.files.walking.patterns import Patterns
from common.components.files.walking.walk import Walk
from common.repository.entry import Entry

FOLDERS = 60


class Record:
    """What a walk gave, in order."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, bytes, bytes]] = []
        self.warnings: list[str] = []

    def add(self, entry: Entry) -> None:
        self.taken.append((entry.path, entry.target, b"as such"))

    def add_found(self, found: Any) -> None:
        self.taken += [(each.path, each.name, each.state) for each in found]

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def taken(root: Path, *, shared: bool, patterns: Patterns | None = None) -> tuple[Any, ...]:
    record = Record()
    reading = Walk(record, patterns or Patterns((), ()), None, shared=shared)
    reading.run(os.fsencode(root).strip(b"/"))
    assert not active_children()
    return record.taken, record.warnings, reading.counts
