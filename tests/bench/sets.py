"""The data sets by name: how each is made, how it changes, and what of it is measured."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import datasets

Make = Callable[[Path, float], None]
Change = Callable[[Path, Path | None], None]
"""Turns the tree into the next day's; the second is the next day's data, where it is made apart."""


@dataclass(frozen=True)
class DataSet:
    """What is backed up. ``seconds`` is about how long one round takes, ``space`` its GB on disk.

    ``levels``: whether our own other compression levels are measured, too.
    """

    make: Make
    seconds: float
    space: float
    change: Change | None = None
    next_day: Make | None = None
    sparse: bool = False
    levels: bool = False


def _tiny(count: int, root: Path, scale: float) -> None:
    datasets.tiny(root, int(count * scale))


def _change_mixed(source: Path, _: Path | None) -> None:
    datasets.mixed_changed(source)


def _change_dump(source: Path, next_day: Path | None) -> None:
    """As a new dump replaces the old one."""
    if next_day is not None:
        shutil.copyfile(next_day / datasets.DUMP, source / datasets.DUMP)


SETS: dict[str, DataSet] = {
    "mixed": DataSet(datasets.mixed, 240, 12, _change_mixed, levels=True),
    "dump": DataSet(datasets.dump, 90, 3, _change_dump, datasets.next_dump),
    "tiny-200k": DataSet(partial(_tiny, 200_000), 240, 1),
    "tiny-1m": DataSet(partial(_tiny, 1_000_000), 1500, 3),
    "sparse": DataSet(datasets.sparse, 300, 2, sparse=True),
}


@dataclass(frozen=True)
class Prepared:
    """A data set on disk; ``original`` stays as it is."""

    original: Path
    next_day: Path | None


def prepare(scratch: Path, name: str, scale: float) -> Prepared:
    """Make what is missing of a data set."""
    data = SETS[name]
    suffix = "" if scale == 1 else f"@{scale:g}"

    def cached(part: str, make: Make) -> Path:
        return datasets.cached(scratch, part + suffix, lambda root: make(root, scale))

    original = cached(name, data.make)
    return Prepared(original, cached(f"{name}-next", data.next_day) if data.next_day else None)
