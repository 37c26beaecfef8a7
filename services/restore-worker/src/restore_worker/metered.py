"""A source that says how much of it has been read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from common.repository.entry import Entry, data_size
from common.repository.tree import Batch, Source

_TELLING = 256
"""Entries come a hundred thousand a second."""


class Told(Protocol):
    """Who is told: the channel to the service, or a command line."""

    def progress(self, phase: str, **fields: Any) -> None: ...


class Meter:
    """Bytes and entries of a whole restore, told as they grow.

    Without ``total_bytes`` the total is that of the components so far, each as it is expected.
    """

    def __init__(self, channel: Told, total_bytes: int | None) -> None:
        self._channel, self._total = channel, total_bytes
        self._chosen = total_bytes is None
        self._expected = 0
        self._phase, self._bytes, self._entries = "begin", 0, 0

    def begin(self, phase: str) -> None:
        """The next component."""
        self._phase = phase
        if self._chosen:
            self._total = None
        self._tell()

    def expect(self, size: int) -> None:
        """So much is chosen of this component."""
        if self._chosen:
            self._expected += size
            self._total = self._expected
            self._tell()

    def read(self, count: int) -> None:
        """So many more bytes have come."""
        self._bytes += count
        self._tell()

    def entry(self) -> None:
        """One more entry has come."""
        self._entries += 1
        if self._entries % _TELLING == 0:
            self._tell()

    def _tell(self) -> None:
        self._channel.progress(
            self._phase,
            done_bytes=self._bytes,
            total_bytes=self._total,
            entries=self._entries,
        )


class _MeteredBatch:
    """A batch whose bytes are told as they arrive."""

    def __init__(self, batch: Batch, meter: Meter) -> None:
        self._batch, self._meter = batch, meter
        self.slices, self.size, self.pieced = batch.slices, batch.size, batch.pieced

    def pieces(self, number: int) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        """As the batch gives them."""
        return self._batch.pieces(number)

    def arrived(self, count: int) -> None:
        """So many bytes have come."""
        self._meter.read(count)


class MeteredSource:
    """The same as ``source``, telling ``meter``."""

    def __init__(self, source: Source, meter: Meter) -> None:
        self._source, self._meter = source, meter

    @property
    def details(self) -> Mapping[str, Any]:
        """What ``capture`` returned."""
        return self._source.details

    def entries(self, select: Callable[[bytes], bool] | None = None) -> Iterator[Entry]:
        """As the source gives them."""
        for entry in self._source.entries(select):
            self._meter.entry()
            yield entry

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, bytes | memoryview]]:
        """As the source gives them."""
        for entry, offset, piece in self._source.contents(entries):
            self._meter.read(len(piece))
            yield entry, offset, piece

    def batches(self, entries: Iterable[Entry]) -> Iterator[Batch]:
        """As the source gives them."""
        for batch in self._source.batches(entries):
            yield _MeteredBatch(batch, self._meter)

    def expect(self, size: int) -> None:
        """That is the total."""
        self._meter.expect(size)

    def holds(self, entry: Entry, file: int) -> bool:
        """As the source says; what is there already counts as read."""
        found = self._source.holds(entry, file)
        if found:
            self._meter.read(data_size(entry))
        return found

    def held(self, entry: Entry, file: int) -> int:
        """As the source says; what is there already counts as read."""
        size = self._source.held(entry, file)
        self._meter.read(size)
        return size

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """As the source gives it."""
        for piece in self._source.stream(entry):
            self._meter.read(len(piece))
            yield piece
