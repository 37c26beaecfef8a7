"""Comparing a file with what a backup has of it."""

import errno
import os

from common.repository.damage import Damaged
from common.repository.format.blockreader import StoredEntry
from common.repository.reading.extents import Position, advance, lay_out
from common.repository.reading.fetch import Fetcher, items


def holds(fetcher: Fetcher, entry: StoredEntry, file: int) -> bool:
    """Whether an open file has the content of an entry, byte for byte, and holes for its holes.

    The chunks are not fetched: their ids are those of the file's bytes, or are not. Where a list of
    chunks cannot be read, the answer is no.

    Raises:
        OSError: the file cannot be read.
    """
    if os.fstat(file).st_size != entry.size:
        return False
    position, end = Position(), 0
    for item in items(fetcher, entry.content):
        if isinstance(item, Damaged):
            return False
        chunk_id, length = item
        data = bytearray()
        places = lay_out(entry.extents, position, memoryview(bytes(length)))
        for place, part in list(places):
            if place > end and not _is_hole(file, end, place):
                return False
            data += os.pread(file, len(part), place)
            end = place + len(part)
        if len(data) != length or not fetcher.names(chunk_id, data):
            return False
        position = advance(entry.extents, position, length)
    return end == entry.size or _is_hole(file, end, entry.size)


def held(fetcher: Fetcher, entry: StoredEntry, file: int) -> tuple[int, bytes]:
    """How many bytes of the data of an entry without holes an open file has in their places.

    And for each chunk of it whether it is one of these, as far as the list of chunks can be read.

    Raises:
        OSError: the file cannot be read.
    """
    found, place, right = bytearray(), 0, 0
    for item in items(fetcher, entry.content):
        if isinstance(item, Damaged):
            break
        chunk_id, length = item
        data = os.pread(file, length, place)
        found.append(len(data) == length and fetcher.names(chunk_id, data))
        place, right = place + length, right + length * found[-1]
    return right, bytes(found)


def _is_hole(file: int, begin: int, end: int) -> bool:
    try:
        return os.lseek(file, begin, os.SEEK_DATA) >= end
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole until the file's end
            return True
        raise
