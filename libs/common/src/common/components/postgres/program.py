"""Runs the client programs: streams in or out, time limits, and what they complain of."""

import io
import os
import select
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, Self
from urllib.parse import quote

from pydantic import SecretStr

from common.components.postgres.address import environment
from common.errors import Error

COMPLAINTS = 16 << 10
STALLED_SECONDS = 900.0
ENDING_SECONDS = 60.0
PIPE_BYTES = 1 << 20
WRITTEN_AT_ONCE = 64 << 10
SHOWN_LINES = 6

REMEDIES = (
    ("server version mismatch", "Install client programs of the server's version or later."),
    ("password authentication failed", "Correct password_file of the component."),
    ("no password supplied", "Name a password_file for the component."),
    ("for large object", "Make the account a superuser, or a member of the owners."),
    ("permission denied", "Grant the account pg_read_all_data, or the role that owns the objects."),
    ("row-level security", "Grant the account BYPASSRLS."),
    ("does not exist pg_dump: detail: Query was: LOCK", "A table was just dropped; back up again."),
    ("LOCK TABLE", "Something holds a lock on a table for long; back up at another time."),
    ("No space left", "Free space on the server's disk."),
    ("is not available", "Install the extension on the server."),
)


class Program:
    """A running client program of which the complaints are collected, without its password."""

    def __init__(
        self,
        command: Sequence[str],
        password: SecretStr,
        failure: type[Error],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
    ) -> None:
        self.name = command[0].rpartition("/")[2]
        self._secret = password.get_secret_value()
        self._failure = failure
        self._complaints = bytearray()
        with environment(password) as (variables, files):
            try:
                self.process = subprocess.Popen(
                    command,
                    env=variables,
                    pass_fds=files,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    cwd="/",
                    bufsize=0,
                )
            except OSError as error:
                raise failure(f"{self.name} cannot be started: {error.strerror}.") from error
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(ENDING_SECONDS)
        self._listener.join(ENDING_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                _close(pipe)

    def finish(self, tolerated: str = "") -> list[str]:
        """Wait for a good end; returns the warnings.

        One failed statement that begins with ``tolerated`` is none, where the program says that it
        went on.

        Raises:
            failure: it failed, was killed, or does not end.
        """
        try:
            code = self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            raise self.stalled() from None
        self._listener.join(ENDING_SECONDS)
        if code == 1 and tolerated and self._only_failed(tolerated):
            return []
        if code != 0:
            raise self.failed(f"was killed by signal {-code}" if code < 0 else "failed")
        return self._lines()

    def _only_failed(self, statement: str) -> bool:
        lines = self._lines()
        failed = [line for line in lines if line.startswith("Command was: ")]
        return (
            lines[-1:] == [f"{self.name}: warning: errors ignored on restore: 1"]
            and len(failed) == 1
            and failed[0].startswith(f"Command was: {statement}")
        )

    def failed(self, how: str) -> Error:
        """The error that says how it ended and what it complained of."""
        lines = [line for line in self._lines() if "warning:" not in line][-SHOWN_LINES:]
        told = " ".join(lines)
        remedy = next((text for sign, text in REMEDIES if sign in told), "")
        return self._failure(f"{self.name} {how}. {told}".strip(), remedy=remedy)

    def stalled(self) -> Error:
        """The error that says that nothing came from it, or went into it, for long."""
        return self.failed(f"did nothing for {STALLED_SECONDS:g} seconds")

    def _listen(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - it was asked for
        while piece := os.read(self.process.stderr.fileno(), 4096):
            self._complaints += piece
            del self._complaints[:-COMPLAINTS]

    def _lines(self) -> list[str]:
        text = self._complaints.decode("utf-8", "replace")
        for secret in {self._secret, quote(self._secret), quote(self._secret, safe="")} - {""}:
            text = text.replace(secret, "***")
        return [line.strip() for line in text.splitlines() if line.strip()]


class Output(io.RawIOBase):
    """What a program writes, as a stream whose end is the program's good end and no other."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._program = program
        self.warnings: list[str] = []

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        pipe = self._program.process.stdout
        assert pipe is not None  # noqa: S101 - it was asked for
        if not _ready(pipe.fileno(), select.POLLIN):
            raise self._program.stalled()
        count = os.readv(pipe.fileno(), [buffer])
        if count == 0:
            self.warnings = self._program.finish()
        return count


@contextmanager
def reading(
    command: Sequence[str], password: SecretStr, failure: type[Error]
) -> Iterator[tuple[io.BufferedReader, Output]]:
    """Run a program and read what it writes; it is killed if that is not read to its end."""
    program = Program(command, password, failure, stdout=subprocess.PIPE)
    with program:
        output = Output(program)
        yield io.BufferedReader(output, PIPE_BYTES), output


def feed(
    command: Sequence[str],
    password: SecretStr,
    failure: type[Error],
    pieces: Iterable[bytes],
    tolerated: str = "",
) -> list[str]:
    """Run a program on this input; returns its warnings. ``tolerated`` as for ``finish``.

    Raises:
        failure: it did not take all of it, or did not end well.
    """
    program = Program(command, password, failure, stdin=subprocess.PIPE)
    with program:
        pipe = program.process.stdin
        assert pipe is not None  # noqa: S101 - it was asked for
        os.set_blocking(pipe.fileno(), False)
        try:
            for piece in pieces:
                _write(program, pipe.fileno(), piece)
            pipe.close()
        except BrokenPipeError:
            program.finish()
            raise program.failed("did not read to the end") from None
        return program.finish(tolerated)


def _write(program: Program, pipe: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        if not _ready(pipe, select.POLLOUT):
            raise program.stalled()
        with suppress(BlockingIOError):
            view = view[os.write(pipe, view[:WRITTEN_AT_ONCE]) :]


def _ready(pipe: int, event: int) -> bool:
    waiting = select.poll()
    waiting.register(pipe, event)
    return bool(waiting.poll(STALLED_SECONDS * 1000))


def _close(pipe: IO[bytes]) -> None:
    with suppress(BrokenPipeError):
        pipe.close()
