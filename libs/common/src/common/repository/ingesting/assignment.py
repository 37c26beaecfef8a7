"""What a process that reads for a run is told first."""

from typing import NamedTuple

from common.repository.format.codec import Compression


class Assignment(NamedTuple):
    """The run that a process reads for, and all that it needs to store what it reads.

    What the run has read and authenticated it need not read again: ``config`` above all. So
    ``chunker`` are the values of its ``ChunkerParameters``.
    """

    place: bytes
    repository: bytes
    writer_key: bytes
    chunker: tuple[int, ...]
    run: bytes
    key_id: bytes
    key: bytes
    compression: Compression
    level: int
    packs: int
    threads: int = 1
