"""A process that reads files for a run: ``python -m common.repository.ingesting.reader_process``.

It is given its work by the socket that is its standard input, and ends when that ends. The run
waits for its start: this loads what reads and stores files, and nothing that describes backups.
"""

import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.errors import Error
from common.kernel import end_with_parent
from common.repository.format.codec import Compressor
from common.repository.format.cutting import ChunkerParameters
from common.repository.format.runkey import RunKey
from common.repository.format.writerkeys import WriterKeys
from common.repository.index.known import KnownChunks
from common.repository.ingesting.assignment import Assignment
from common.repository.ingesting.channel import Channel, Gone
from common.repository.ingesting.reading import FileReader, Outcome
from common.repository.ingesting.stores import Stores
from common.storage.local import LocalDirectory

_TELL_SECONDS = 0.2

_NICENESS = 10
"""The run comes first: while it waits for a processor, soon all of its readers wait for it."""


class Progress:
    """Tells the run how many bytes were read, now and then."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._told = time.monotonic()
        self.untold = 0

    def __call__(self, count: int) -> None:
        self.untold += count
        now = time.monotonic()
        if now - self._told > _TELL_SECONDS:
            self._told = now
            self._channel.send(("read", self.take()))

    def take(self) -> int:
        """What was read since this was told last."""
        count, self.untold = self.untold, 0
        return count


class ReaderProcess:
    """Does one task after another."""

    def __init__(self, channel: Channel) -> None:
        told, (table,) = channel.receive()
        given = Assignment(*told)
        self._channel = channel
        directory = LocalDirectory(Path(os.fsdecode(given.place)))
        keys = WriterKeys(given.writer_key, given.repository)
        self._known = KnownChunks.attach(table, given.packs)
        os.close(table)
        self._stores = Stores(
            directory,
            keys,
            given.run.hex(),
            RunKey(given.key_id, given.key),
            Compressor(given.compression, given.level),
            self._known.note,
            threads=given.threads,
        )
        self._progress = Progress(channel)
        chunker = ChunkerParameters(*given.chunker)
        self._reader = FileReader(self._stores.content_writer(chunker, self._progress))

    def work(self) -> None:
        """Do what the run asks for until it has all that it wants."""
        ended = False
        try:
            while not ended:
                (kind, *rest), folders = self._channel.receive()
                ended = kind == "finish"
                self._finish() if ended else self._task(rest, folders)
        except BaseException:
            with suppress(Error):
                self._stores.abort()
            raise
        finally:
            self._stores.close()

    def _task(self, files: list[tuple[int, bytes, bytes]], folders: list[int]) -> None:
        try:
            outcomes, others = self._reader.read_all(
                (folders[folder], name, seen) for folder, name, seen in files
            )
        finally:
            for folder in folders:
                os.close(folder)
        told = [plain(outcome) for outcome in outcomes]
        self._channel.send(("done", self._progress.take(), told, others))

    def _finish(self) -> None:
        self._stores.finish()
        self._stores.segments.flush()
        marks = bytes(self._known.marks)
        self._channel.send(("finished", self._stores.added, self._stores.stored, marks))


def plain(outcome: Outcome) -> Any:
    """The same as a plain tuple: what crosses a channel has no classes."""
    return tuple(outcome) if isinstance(outcome, tuple) else outcome


def main() -> int:
    """Work, and tell the run of an error."""
    end_with_parent()
    os.nice(_NICENESS)
    channel = Channel(socket.socket(fileno=os.dup(0)), timeout=None)
    try:
        ReaderProcess(channel).work()
    except Gone:
        return 1
    except Exception as error:
        with suppress(Gone):
            channel.send(("failed", *_story(error)))
        if not isinstance(error, Error):
            raise
        return 1
    return 0


def _story(error: Exception) -> tuple[str, str, str]:
    """What the run is told: of an unforeseen error no more than its class."""
    if isinstance(error, Error):
        return error.code, error.message, error.remedy
    return Error.code, f"{Error().message} ({type(error).__name__})", ""


if __name__ == "__main__":
    sys.exit(main())
