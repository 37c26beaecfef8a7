"""PostgreSQL databases, by pg_dump and pg_restore."""

import io
import os
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from common.components.component import RestoreOutcome, Select, Target
from common.components.files import FilesComponent
from common.components.postgres.address import Address, check_name, read_password
from common.components.postgres.facts import Facts, look, major_version
from common.components.postgres.making import Making
from common.components.postgres.placing import Placing
from common.components.postgres.program import feed, reading
from common.components.postgres.session import ask, holding
from common.components.postgres.tools import Tools, newest
from common.errors import CaptureFailed, Conflict, Corrupt, NotFound, RestoreFailed
from common.repository.attributes import group_name, user_name
from common.repository.entry import Entry, EntryType
from common.repository.tree import Sink, Source

FACTS, GLOBALS, DUMP = b"database.json", b"globals.sql", b"database.dump"
LOCK_WAIT_MILLISECONDS = 60_000
TRANSACTION_TIMEOUT_SINCE = 17
"""Newer programs set this parameter even on servers that do not have it."""


class PostgresOptions(BaseModel):
    """What a ``kind = "postgres"`` table of components.toml may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["postgres"] = "postgres"
    dsn: SecretStr = SecretStr("")
    password_file: Path | None = None
    role_passwords: bool = False


class PostgresComponent:
    """One database of a server, with the server's roles beside it.

    In the backup it is three files: the dump, the roles and other globals as SQL, and what is
    needed to make the database again.
    """

    kind = "postgres"
    options: ClassVar[type] = PostgresOptions

    def __init__(self, name: str, options: PostgresOptions) -> None:
        self.name = name
        self._options = options
        self._address: Address | None = None
        self._in_address = ""
        if options.dsn.get_secret_value():
            self._address, self._in_address = Address.parse(options.dsn.get_secret_value())

    def capture(self, sink: Sink) -> dict[str, Any]:
        """Dump one consistent state of the database, while others use it.

        Raises:
            CaptureFailed: the server, the account or the dump fails, at its last byte even.
        """
        if self._address is None:
            raise CaptureFailed(f"Component {self.name} names no database.")
        address, password = self._address, self._password()
        tools = newest(ask(address, password, CaptureFailed, major_version), CaptureFailed)
        everything = _command(tools, "pg_dumpall", address) + self._globals(address)
        _add_output(sink, GLOBALS, everything, password)
        # A table of this state that is dropped before pg_dump has locked it fails the dump.
        with holding(address, password, CaptureFailed, look) as ((facts, details), state):
            dump = _command(tools, "pg_dump", address) + _dumping(state)
            sink.add_stream(_entry(FACTS), io.BytesIO(facts.to_json()))
            _add_output(sink, DUMP, dump, password)
        return {**details, "pg_dump_version": str(tools)}

    def _globals(self, address: Address) -> list[str]:
        kept = ["--globals-only", f"--database={address.conninfo()}"]
        return kept if self._options.role_passwords else [*kept, "--no-role-passwords"]

    def restore(
        self, source: Source, target: Target, select: Select | None = None
    ) -> RestoreOutcome:
        """Restore into the database ``target.database``, or over this component's own.

        Without a database the files of the backup go into ``target.directory``, for pg_restore.

        Raises:
            Conflict: the database exists and is not to be replaced, or its users do not let go.
            RestoreFailed: no database has changed.
        """
        if not target.in_place and target.database is None:
            return FilesComponent.of(self.name, []).restore(source, target, select)
        if select is not None and not select(DUMP):
            raise NotFound("Nothing in the backup has that name.")
        if self._address is None:
            raise Conflict(
                f"Component {self.name} has no database server on this station.",
                remedy="Restore it into a folder, or name its dsn in components.toml.",
            )
        name = self._address.database if target.database is None else check_name(target.database)
        facts, dump = _find(source)
        if select is not None:
            source.expect(dump.size)
        dumped_by = str(source.details.get("pg_dump_version", facts.server))
        tools = newest(_major(dumped_by), RestoreFailed, "dump")
        password = self._password()

        def fill(address: Address, making: Making) -> list[str]:
            command = [*_command(tools, "pg_restore", address), *making.arguments]
            if making.server < TRANSACTION_TIMEOUT_SINCE <= tools.version[0]:
                unknown = "SET transaction_timeout"
                return feed(command, password, RestoreFailed, source.stream(dump), unknown)
            command.append("--exit-on-error")
            return feed(command, password, RestoreFailed, source.stream(dump))

        placing = Placing(self._address, password, facts, name)
        warnings = placing.restore(fill, in_place=target.in_place)
        details = {"database": name, "tables": facts.tables, "pg_restore_version": str(tools)}
        return RestoreOutcome(1, dump.size, tuple(warnings), details)

    def _password(self) -> SecretStr:
        if self._options.password_file is not None:
            return read_password(self._options.password_file)
        return SecretStr(self._in_address)


def _command(tools: Tools, program: str, address: Address) -> list[str]:
    return [tools.program(program), "--no-password", f"--dbname={address.conninfo()}"]


def _add_output(sink: Sink, path: bytes, command: list[str], password: SecretStr) -> None:
    with reading(command, password, CaptureFailed) as (stream, output):
        sink.add_stream(_entry(path), stream)
        for warning in output.warnings:
            sink.warn(warning)


def _dumping(state: str) -> list[str]:
    wait = f"--lock-wait-timeout={LOCK_WAIT_MILLISECONDS}"
    return ["--format=custom", "--compress=0", wait, f"--snapshot={state}"]


def _major(version: str) -> int:
    return int(version.partition(".")[0].partition(" ")[0])


def _entry(path: bytes) -> Entry:
    uid, gid = os.geteuid(), os.getegid()
    return Entry(
        path=path,
        type=EntryType.FILE,
        uid=uid,
        gid=gid,
        user=user_name(uid),
        group=group_name(gid),
        mtime_ns=time.time_ns(),
    )


def _find(source: Source) -> tuple[Facts, Entry]:
    found = {entry.path: entry for entry in source.entries()}
    if FACTS not in found or DUMP not in found:
        raise Corrupt("The backup of this component holds no database.")
    return Facts.from_json(b"".join(source.stream(found[FACTS]))), found[DUMP]
