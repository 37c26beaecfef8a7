"""Brings batches of content to their files, by several processes at once.

While one batch is written the next one is collected. What was written is put on the disk and then
given its names while the next batch is written.
"""

from collections.abc import Callable, Iterable

from common.components.files.metadata import Applier
from common.components.files.restoring.arriving import Arriving
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.writing import Failed, Named, Writing, Written
from common.components.notes import Notes
from common.forked import Claims, Link, Team
from common.processors import processors
from common.repository.entry import Entry
from common.repository.tree import Batch, ContentDamaged


class Delivery:
    """One restore's content. ``failed`` is told of files, ``lost`` of entries that are damaged."""

    def __init__(
        self,
        arriving: Arriving,
        folders: Folders,
        applier: Applier,
        notes: Notes,
        *,
        failed: Callable[[bytes, OSError], None],
        lost: Callable[[Iterable[bytes]], None],
    ) -> None:
        self._arriving = arriving
        self._folders = folders
        self._applier = applier
        self._notes = notes
        self._failed = failed
        self._lost = lost
        self._teams: list[Team] = []
        self._batch: Batch | None = None
        self._unnamed: list[bytes] = []

    def take(self, batch: Batch) -> None:
        """Let a batch be written, and end the one before it."""
        self._written()
        self._for_each(batch.pieced, self._arriving.make)
        claims = Claims(batch.slices)
        try:
            size = min(processors(), batch.slices)
            self._teams.append(Team(lambda link: self._work(link, batch, claims), size))
        finally:
            claims.close()
        self._batch = batch
        self._for_each(batch.pieced, self._arriving.reserve)
        while len(self._teams) > 1:
            self._publish()

    def finish(self) -> None:
        """End the last batch; what is whole has its name then."""
        self._written()
        while self._teams:
            self._publish()
        self._arriving.publish()

    def close(self) -> None:
        """End what is still going on."""
        for team in self._teams:
            team.end()

    def _work(self, link: Link, batch: Batch, claims: Claims) -> None:
        """What each process does."""
        writing = Writing(self._folders, self._applier, self._arriving.items)
        for number in claims:
            count = 0
            try:
                for entry, offset, piece in batch.pieces(number):
                    writing.write(entry, offset, piece)
                    count += len(piece)
            except ContentDamaged as error:
                writing.written.damaged.extend(error.paths)
            for failure in writing.failures:
                link.tell(failure)
            writing.failures.clear()
            link.tell(count)
        link.tell(writing.written)
        link.pause()
        link.tell(writing.give_names())
        for failure in writing.failures:
            link.tell(failure)

    def _written(self) -> None:
        """Wait until the batch at work is written."""
        batch, self._batch = self._batch, None
        if batch is None:
            return
        for message in self._teams[-1].hear():
            if isinstance(message, int):
                batch.arrived(message)
            elif isinstance(message, Failed):
                self._fail(message.entry, message.error)
            elif isinstance(message, Written):
                self._note(message)

    def _note(self, written: Written) -> None:
        self._unnamed += written.whole
        self._notes.merge(written.warnings)
        for path, count in written.parts.items():
            self._arriving.part(path, count)
        self._lost(written.damaged)

    def _publish(self) -> None:
        team, unnamed = self._teams[0], self._unnamed
        self._arriving.publish()
        team.go_on()
        for message in team.hear():
            if isinstance(message, Named):
                self._arriving.entries += message.entries
                self._arriving.bytes += message.bytes
            elif isinstance(message, Failed):
                self._failed(message.path, message.error)
        self._unnamed = []
        for path in unnamed:
            self._arriving.items.pop(path, None)
        del self._teams[0]
        team.end()

    def _for_each(self, entries: Iterable[Entry], act: Callable[[Entry], None]) -> None:
        for entry in entries:
            try:
                act(entry)
            except OSError as error:
                self._fail(entry.path, error)

    def _fail(self, entry: bytes, error: OSError) -> None:
        for path in self._arriving.give_up([entry]):
            self._failed(path, error)
