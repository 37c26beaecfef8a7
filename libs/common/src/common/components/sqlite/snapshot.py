"""An SQLite database as it stands in one read transaction, and its pages as a stream.

The backup API of SQLite copies the pages in order into a database that is not kept but read from
here. Page 1 stays in use as long as a backup runs, so the API writes it last; it is taken from
where the transaction read it.
"""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import apsw

from common.components.names import show
from common.components.sqlite.vfs import PageFiles, SourceFiles
from common.errors import CaptureFailed

STEP = 256 << 10


class Snapshot(io.RawIOBase):
    """A readable stream of the database file, exact to the byte, as of the moment of entering.

    While it is open, others write on if the database keeps a write-ahead log; otherwise they wait.
    """

    def __init__(self, path: Path, wait_seconds: float) -> None:
        super().__init__()
        self._path = path
        self._wait_seconds = wait_seconds
        self._open = ExitStack()
        self._left = 0
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        with ExitStack() as opened, failures(self._path, self._wait_seconds):
            files = SourceFiles()
            opened.callback(files.unregister)
            self.connection = apsw.Connection(
                str(self._path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=files.name
            )
            opened.callback(self.connection.close)
            self.connection.set_busy_timeout(int(self._wait_seconds * 1000))
            self._leave_log_alone()
            self.connection.execute("BEGIN")
            opened.callback(self._end)
            self.connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            self.page_size = int(self.pragma("page_size"))
            self.size = self.page_size * int(self.pragma("page_count"))
            self._left = self.size
            self._buffer += files.first_page if self.size else b""
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pragma(self, name: str) -> Any:
        """What SQLite says of the database."""
        return self.connection.pragma(name)

    def start(self, ahead: int) -> None:
        """Begin to copy, and read so many bytes ahead: what is all read holds up nobody."""
        self._target = PageFiles(self.page_size)
        self._open.callback(self._target.unregister)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        target = apsw.Connection("pages", flags=flags, vfs=self._target.name)
        self._open.callback(target.close)
        target.pragma("journal_mode", "off")
        target.pragma("synchronous", "off")
        target.pragma("cache_size", 16)
        self._backup = target.backup("main", self.connection, "main")
        self._open.callback(self._backup.close, force=True)
        while len(self._buffer) < ahead and not self._backup.done:
            self._step()
        if self._backup.done:
            self._open.close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while len(self._buffer) < min(len(view), self._left):
            if self._backup.done:
                raise CaptureFailed(f"SQLite ended the copy of {self._path} too early.")
            self._step()
        count = min(len(view), self._left)
        view[:count] = self._buffer[:count]
        del self._buffer[:count]
        self._left -= count
        return count

    def close(self) -> None:
        """Let go of the database."""
        self._open.close()
        super().close()

    def _step(self) -> None:
        with failures(self._path, self._wait_seconds):
            self._backup.step(max(1, STEP // self.page_size))
        while self._target.pages:
            self._buffer += self._target.pages.popleft()

    def _end(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def _leave_log_alone(self) -> None:
        """Do not, by closing last, tidy up what is there: reading changes nothing."""
        log = self._path.with_name(self._path.name + "-wal")
        if log.exists() and log.stat().st_size:
            self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


@contextmanager
def failures(path: Path, wait_seconds: float) -> Iterator[None]:
    """Say what SQLite's errors mean for a backup of ``path``."""
    name = show(str(path).encode("utf-8", "surrogateescape"))
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise CaptureFailed(
            f"{name} was locked for {wait_seconds:g} seconds.",
            remedy="Find what holds a transaction open, or raise wait_seconds of the component.",
        ) from error
    except apsw.NotADBError as error:
        raise CaptureFailed(
            f"{name} is not an SQLite database, or it is encrypted.",
            remedy="Correct the path; back an encrypted database up as files while it is at rest.",
        ) from error
    except apsw.CorruptError as error:
        raise CaptureFailed(
            f"{name} is damaged: {error}.",
            remedy="Restore its last good backup, or save what is left: `sqlite3` and .recover.",
        ) from error
    except apsw.Error as error:
        raise CaptureFailed(
            f"{name} cannot be read: {error}.",
            remedy="The account that backs up must be able to read and write the file's folder.",
        ) from error
