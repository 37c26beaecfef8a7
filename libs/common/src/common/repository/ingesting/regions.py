"""Which parts of a sparse file hold data, and reading just those."""

import errno
import os
from collections.abc import Iterator

Regions = list[tuple[int, int]]
Extents = tuple[tuple[int, int], ...]


_MOST = 65_536
_BLOCK = 512
_PAGE = 4096


def may_have_holes(status: os.stat_result) -> bool:
    """Whether a file takes less room than its size; a small one may be kept with its inode."""
    return status.st_size > _PAGE and status.st_blocks * _BLOCK < status.st_size


class RegionReader:
    """Reads the data of a file, region after region, by position.

    ``short`` says that the file ended at ``end``, before the last region did.
    """

    def __init__(self, descriptor: int, regions: Regions) -> None:
        self._descriptor = descriptor
        self._regions = iter(regions)
        self._place, self._end = 0, 0
        self.short = False
        self.end = 0

    def fill(self, view: memoryview) -> int:
        """Read what fits; 0 at the end of the last region, or where the file was cut."""
        while self._place == self._end and not self.short:
            region = next(self._regions, None)
            if region is None:
                return 0
            self._place, self._end = region[0], sum(region)
        if self.short:
            return 0
        wanted = min(len(view), self._end - self._place)
        count = os.preadv(self._descriptor, [view[:wanted]], self._place)
        self._place += count
        self.end = self._place
        self.short = not count
        return count


def data_regions(descriptor: int, size: int) -> Regions:
    """The regions that hold data; small holes are filled where there are too many."""
    smallest_hole = 1
    while len(regions := list(_joined(_data(descriptor, size), smallest_hole))) > _MOST:
        smallest_hole = max(4096, smallest_hole * 4)
    return regions


def cut_regions(regions: Regions, size: int) -> Extents:
    """The regions up to so many bytes of data: the file may have become shorter."""
    kept = []
    for start, length in regions:
        if size <= 0:
            break
        kept.append((start, min(length, size)))
        size -= length
    return tuple(kept)


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    place = 0
    while place < size:
        try:
            start = os.lseek(descriptor, place, os.SEEK_DATA)
            place = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            if error.errno != errno.EINVAL:
                raise
            yield place, size - place  # this file system does not know its holes
            return
        if start < place:
            yield start, place - start


def _joined(regions: Iterator[tuple[int, int]], smallest_hole: int) -> Iterator[tuple[int, int]]:
    """The regions, without the holes between them that are smaller than that."""
    begun = end = -1
    for start, length in regions:
        if begun >= 0 and start - end < smallest_hole:
            end = start + length
            continue
        if begun >= 0:
            yield begun, end - begun
        begun, end = start, start + length
    if begun >= 0:
        yield begun, end - begun
