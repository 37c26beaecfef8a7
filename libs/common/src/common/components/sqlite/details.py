"""What is told of a database beside its content."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import apsw

COUNTING_SECONDS = CHECKING_SECONDS = 2.0
MAX_TABLES = 200
PROGRESS_STEPS = 10_000


def describe_database(connection: apsw.Connection) -> dict[str, Any]:
    """The form of the database, and the rows of each table as far as they are counted in time."""
    return {
        "sqlite_version": apsw.sqlite_lib_version(),
        "journal_mode": str(connection.pragma("journal_mode")),
        "encoding": str(connection.pragma("encoding")),
        "page_size": int(connection.pragma("page_size")),
        "pages": int(connection.pragma("page_count")),
        "user_version": int(connection.pragma("user_version")),
        "tables": count_rows(connection),
    }


def count_rows(connection: apsw.Connection) -> dict[str, int | None]:
    """The rows of each table; None for those that there was no time or no module to count."""
    counts: dict[str, int | None] = {}
    with _limited(connection, COUNTING_SECONDS):
        for name in _tables(connection):
            quoted = name.replace('"', '""')
            counts[name] = None
            with suppress(apsw.Error):
                rows = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchall()  # noqa: S608 - a quoted name
                counts[name] = int(str(rows[0][0]))
    return counts


def find_damage(connection: apsw.Connection) -> str | None:
    """What is wrong with the database, as far as that shows in a short time; None for nothing."""
    with _limited(connection, CHECKING_SECONDS):
        try:
            ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
        except (apsw.CorruptError, apsw.NotADBError) as error:
            return str(error)
        except apsw.Error:  # there was no time, or no module for one of its tables
            return None
    return None if found == "ok" else " ".join(str(found).split())


@contextmanager
def _limited(connection: apsw.Connection, seconds: float) -> Iterator[None]:
    """What is executed here ends by ``apsw.InterruptError`` when its time is over."""
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, PROGRESS_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)


def _tables(connection: apsw.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
        " ESCAPE '\\' ORDER BY name LIMIT ?",
        (MAX_TABLES,),
    )
    return [str(name) for (name,) in rows]
