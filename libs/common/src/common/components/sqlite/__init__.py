"""SQLite databases, copied while they are in use."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.components.component import Amount, RestoreOutcome, Select, Target
from common.components.files.metadata import describe
from common.components.names import show
from common.components.sqlite.details import describe_database, find_damage
from common.components.sqlite.placing import place
from common.components.sqlite.snapshot import Snapshot
from common.errors import CaptureFailed, Conflict, Corrupt, NotFound, RestoreFailed
from common.repository.entry import Entry, EntryType
from common.repository.tree import Sink, Source

AHEAD = 64 << 20


class SqliteOptions(BaseModel):
    """What a ``kind = "sqlite"`` table of components.toml may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sqlite"] = "sqlite"
    path: Path | None = None
    wait_seconds: float = Field(default=30, gt=0, le=3600)


class SqliteComponent:
    """One database file; in the backup it is one file of the same name."""

    kind = "sqlite"
    options: ClassVar[type] = SqliteOptions

    def __init__(self, name: str, options: SqliteOptions) -> None:
        self.name = name
        self._options = options

    def capture(self, sink: Sink) -> dict[str, Any]:
        """Copy one state of the database; others read and, with a write-ahead log, write on.

        Raises:
            CaptureFailed: it is gone, locked for too long, or no database.
        """
        path = self._source()
        entry = _describe(path)
        with Snapshot(path, self._options.wait_seconds) as snapshot:
            details = describe_database(snapshot.connection)
            damage = find_damage(snapshot.connection)
            if damage is not None:
                sink.warn(f"{show(os.fsencode(path))} is damaged, and so is its backup: {damage}")
            # Without a log writers wait for the end of the transaction: get it over with.
            snapshot.start(0 if details["journal_mode"] == "wal" else AHEAD)
            sink.add_stream(entry, io.BufferedReader(snapshot, 1 << 20))
        return details

    def count(self) -> Amount:
        """What ``capture`` is going to give: a file of the size that this one has now."""
        return Amount(1, self._source().stat().st_size)

    def _source(self) -> Path:
        if self._options.path is None:
            raise CaptureFailed(f"Component {self.name} names no path.")
        return self._options.path.resolve()

    def restore(
        self, source: Source, target: Target, select: Select | None = None
    ) -> RestoreOutcome:
        """Put the database into the folder ``target.directory``, or over this component's path.

        In place it is one transaction of the database that is there, which those who have it open
        see as any other.

        Raises:
            Conflict: there is a file of that name, or others use the database.
        """
        entry = _entry(source)
        if select is not None:
            if not select(entry.path):
                raise NotFound("Nothing in the backup has that name.")
            source.expect(entry.size)
        if target.in_place:
            if self._options.path is None:
                raise Conflict(
                    f"Component {self.name} has no path on this station.",
                    remedy="Restore it into a folder, or name its path in components.toml.",
                )
            path = self._options.path.resolve()
        elif target.directory is None:
            raise RestoreFailed("A database file is restored into a folder, and none is named.")
        else:
            path = target.directory / os.fsdecode(entry.path)
        wait = self._options.wait_seconds
        warnings = place(source.stream(entry), entry, path, wait, in_place=target.in_place)
        tables = len(source.details.get("tables", {}))
        return RestoreOutcome(
            1, entry.size, warnings, {"path": show(os.fsencode(path)), "tables": tables}
        )


def _describe(path: Path) -> Entry:
    try:
        status = path.lstat()
        entry = describe(os.fsencode(path.name), os.fsencode(path), status)
    except OSError as error:
        raise CaptureFailed(
            f"{path} cannot be read: {error.strerror}.", remedy="Correct the path of the component."
        ) from error
    if entry is None or entry.type is not EntryType.FILE:
        raise CaptureFailed(f"{path} is not a file.")
    return replace(entry, size=0)


def _entry(source: Source) -> Entry:
    for entry in source.entries():
        if entry.type is EntryType.FILE and b"/" not in entry.path:
            return entry
    raise Corrupt("The backup of this component holds no database.")
