"""Puts a restored database in its place."""

import filecmp
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from common.components.files.metadata import Applier
from common.components.notes import Notes, raise_if_full
from common.errors import Conflict, NoSpace, RestoreFailed
from common.repository.entry import Entry

FINDINGS = 5


def place(
    pieces: Iterable[bytes], entry: Entry, path: Path, wait_seconds: float, *, in_place: bool
) -> tuple[str, ...]:
    """Write a database to ``path``, whole or not at all; returns warnings.

    In place over a database it becomes that database's content in one transaction. Elsewhere there
    must be nothing else of that name yet.

    Raises:
        Conflict: there is something, or others use the database.
        RestoreFailed: the restored database is damaged and would replace another.
    """
    notes = Notes()
    with _written(pieces, path) as temporary:
        findings = check(temporary)
        told = tuple(f"damaged when it was backed up: {found}" for found in findings)
        if not in_place and _is_there(path, temporary):
            return told
        if findings and in_place and path.exists():
            raise RestoreFailed(
                f"The database was damaged when it was backed up: {findings[0]}.",
                remedy="The current one was left. Restore into a folder to save what there is.",
            )
        if in_place and _is_database(path):
            _copy_into(path, temporary, wait_seconds)
        else:
            _describe(temporary, entry, notes)
            _remove_companions(path)
            temporary.rename(path)
            _sync_folder(path.parent)
    return (*notes.lines(), *told)


def _is_there(path: Path, restored: Path) -> bool:
    """Whether there is what a restore that was begun again has put there before.

    Raises:
        Conflict: there is anything else.
    """
    names = [path, *_companions(path)]
    if not any(os.path.lexists(name) for name in names):
        return False
    if path.is_file() and not path.is_symlink() and filecmp.cmp(path, restored, shallow=False):
        return True
    raise Conflict(
        f"There is another file {path}.", remedy="Restore into an empty folder, or in place."
    )


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")]


@contextmanager
def _written(pieces: Iterable[bytes], path: Path) -> Iterator[Path]:
    """The content in a file beside ``path``, private and on the disk; removed at the end."""
    temporary = path.with_name(f".strongroom-restore-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except OSError as error:
        raise_if_full(error, str(path.parent))
        raise RestoreFailed(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def check(path: Path) -> list[str]:
    """What SQLite finds wrong with a database that nobody uses; nothing is written beside it."""
    if path.stat().st_size == 0:
        return []
    try:
        with _immutable(path) as connection:
            rows = connection.execute(f"PRAGMA quick_check({FINDINGS})").fetchall()
    except apsw.Error as error:
        return [str(error)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


@contextmanager
def _immutable(path: Path) -> Iterator[apsw.Connection]:
    uri = f"{path.absolute().as_uri()}?immutable=1"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        yield connection
    finally:
        connection.close()


def _is_database(path: Path) -> bool:
    """Whether SQLite can work with what is at ``path``; a lock is no reason why not."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError:
        return False
    try:
        connection.pragma("schema_version")
    except (apsw.NotADBError, apsw.CorruptError):
        return False
    except (apsw.BusyError, apsw.LockedError):
        return True
    except apsw.Error as error:
        raise RestoreFailed(f"{path} cannot be looked at: {error}.") from error
    finally:
        connection.close()
    return True


def _copy_into(path: Path, restored: Path, wait_seconds: float) -> None:
    """Make the content of a database that of another, in one transaction of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(int(wait_seconds * 1000))
        with _immutable(restored) as source:
            if connection.pragma("page_size") != source.pragma("page_size"):
                connection.pragma("journal_mode", "delete")  # a log holds pages of one size
            with connection.backup("main", source, "main") as backup:
                backup.step(-1)
        with suppress(apsw.BusyError):  # readers keep what they see until they are done
            connection.pragma("wal_checkpoint", "truncate")
    except (apsw.BusyError, apsw.LockedError) as error:
        raise Conflict(
            f"{path} is in use.", remedy="Stop what writes to it, then restore again."
        ) from error
    except apsw.FullError as error:
        raise NoSpace(f"The disk is full at {path}.", remedy="Free space there.") from error
    except apsw.Error as error:
        raise RestoreFailed(f"{path} cannot be restored over: {error}.") from error
    finally:
        connection.close()


def _describe(temporary: Path, entry: Entry, notes: Notes) -> None:
    file = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        Applier(notes.add).apply(entry, f"/proc/self/fd/{file}")
        os.fsync(file)
    finally:
        os.close(file)


def _remove_companions(path: Path) -> None:
    """Remove the log and journal of a former database: SQLite would play them into this one."""
    for companion in _companions(path):
        companion.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
