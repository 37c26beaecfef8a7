"""Where the data of a sparse file goes."""

from collections.abc import Iterator
from typing import NamedTuple

Extents = tuple[tuple[int, int], ...]


class Position(NamedTuple):
    """A place in the data of a file: in which of its regions, and how far into it."""

    region: int = 0
    inside: int = 0


def advance(extents: Extents | None, position: Position, count: int) -> Position:
    """So many bytes of data further on. A file without regions is one region of data."""
    region, inside = position
    inside += count
    while extents is not None and region < len(extents) and inside >= extents[region][1]:
        inside -= extents[region][1]
        region += 1
    return Position(region, inside)


def lay_out(
    extents: Extents | None, position: Position, piece: memoryview
) -> Iterator[tuple[int, memoryview]]:
    """The parts of a piece of data that stands at ``position``, with their places in the file."""
    region, inside = position
    if extents is None:
        yield inside, piece
        return
    while piece and region < len(extents):
        start, length = extents[region]
        part = piece[: length - inside]
        yield start + inside, part
        piece = piece[len(part) :]
        region, inside = region + 1, 0
