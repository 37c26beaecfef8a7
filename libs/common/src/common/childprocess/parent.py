"""A module in a process of its own, seen from the event loop that started it."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from pydantic import SecretStr

from common.childprocess.wire import LONGEST_LINE, BrokenTalk, decode, encode, revive
from common.errors import Error, Unavailable

_LINE_SHOWN = 2000  # characters of one line of stderr that reach the log
_LINES_SHOWN = 200
_INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")

logger = structlog.get_logger(__name__)

T = TypeVar("T")

OnProgress = Callable[[dict[str, Any]], Awaitable[None]]


class ProcessDied(Error):
    """The process that did the work ended without a result."""

    code = "process_died"


@dataclass(frozen=True)
class Limits:
    """How long a child is waited for, in seconds.

    ``leash``: without a word from us for this long, the child ends itself; ``silence``: without a
    sign of life from the child for this long, it is given up; ``goodbye``: between asking it to
    end and SIGKILL; ``niceness``: how much it steps back for others (0 to 19; the I/O priority
    follows it).
    """

    leash: float = 15.0
    silence: float = 120.0
    goodbye: float = 5.0
    niceness: int = 0


class Child:
    """A running child: messages to and from it. Made by ``spawn`` alone."""

    def __init__(
        self,
        process: Process,
        limits: Limits,
        on_progress: OnProgress | None,
        secrets: Sequence[str],
    ) -> None:
        self._process, self._limits, self._on_progress = process, limits, on_progress
        self._secrets = secrets
        self.pid = process.pid

    async def send(self, kind: str, **fields: Any) -> None:
        """Tell the child something.

        Raises:
            Unavailable: it does not read.
            ProcessDied: it is gone.
        """
        stdin = _pipe(self._process.stdin)
        try:
            stdin.write(encode(kind, fields))
            async with asyncio.timeout(self._limits.silence):
                await stdin.drain()
        except TimeoutError as error:
            raise Unavailable("The process of this job does not listen.") from error
        except (BrokenPipeError, ConnectionResetError) as error:
            raise await self._death() from error

    async def receive(self, *expected: str) -> dict[str, Any]:
        """The child's next message; progress on the way goes to ``on_progress``.

        Raises:
            Error: the child's own error, of the class that its code names.
            ProcessDied: it ended without a word, or its silence was too long.
            BrokenTalk: it said something that is none of ``expected``.
        """
        while True:
            message = await self._next()
            kind = message["kind"]
            if kind == "progress":
                if self._on_progress is not None:
                    await self._on_progress(message)
            elif kind == "error":
                raise revive(message)
            elif kind in expected:
                return message
            elif kind != "alive":
                raise BrokenTalk

    async def result(self) -> dict[str, Any]:
        """What the work returned. Raises as ``receive`` does."""
        return await self.receive("result")

    async def _next(self) -> dict[str, Any]:
        stdout = _pipe(self._process.stdout)
        try:
            async with asyncio.timeout(self._limits.silence):
                line = await stdout.readline()
        except TimeoutError as error:
            raise ProcessDied(
                f"The process of this job gave no sign of life for {self._limits.silence:g} s."
            ) from error
        except ValueError as error:
            raise BrokenTalk from error
        if not line.endswith(b"\n"):
            raise await self._death()
        return decode(line)

    async def _death(self) -> ProcessDied:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.goodbye):
                await self._process.wait()
        code = self._process.returncode
        if code is None or code >= 0:
            return ProcessDied(remedy="The log has what it wrote last.")
        return ProcessDied(
            f"The process that did the work was ended by {signal.Signals(-code).name}.",
            remedy="SIGKILL mostly means that the memory ran out: see the kernel's log."
            if code == -signal.SIGKILL
            else "The log has what it wrote last.",
        )

    async def keep_leash(self) -> None:
        """Say again and again that we live, until cancelled."""
        stdin = _pipe(self._process.stdin)
        while not stdin.is_closing():
            await asyncio.sleep(self._limits.leash / 4)
            if stdin.transport.get_write_buffer_size() == 0:
                stdin.write(encode("alive", {}))

    async def log_errors(self) -> None:
        """Carry the child's stderr into the log, line by line, each cut and all of them counted."""
        stderr, rest, count = _pipe(self._process.stderr), b"", 0
        while piece := await stderr.read(65536):
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[: 2 * _LINE_SHOWN]
            for line in lines:
                count += 1
                if count <= _LINES_SHOWN:
                    self._log_line(line)
        if rest:
            self._log_line(rest)
        if count > _LINES_SHOWN:
            logger.warning("child.stderr_cut", pid=self.pid, lines=count)

    def _log_line(self, line: bytes) -> None:
        # Secrets first: one that the cut would halve must not show its first half.
        text = line.decode(errors="backslashreplace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        logger.warning("child.stderr", pid=self.pid, line=text[:_LINE_SHOWN])

    async def end(self, *, gently: bool) -> None:
        """Wait for the child to end by itself, or ask it to; then SIGKILL to it and its own."""
        try:
            if not gently:
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()
            async with asyncio.timeout(self._limits.goodbye):
                await self._process.wait()
        except TimeoutError:
            logger.warning("child.killed", pid=self.pid)
        finally:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.goodbye):
                await self._process.wait()


@asynccontextmanager
async def spawn(
    command: str | Sequence[str],
    spec: Mapping[str, Any],
    *,
    limits: Limits | None = None,
    on_progress: OnProgress | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Child]:
    """Run a module (or a command) that calls ``child.serve``, and end it on the way out.

    ``spec`` goes over stdin and may hold SecretStr; the child inherits little of the environment.
    It must be started from a thread that lives on, for the kernel ends it with that thread. Left
    by an exception (also cancellation), the child gets SIGTERM and soon SIGKILL; left normally, it
    gets the time to end by itself.
    """
    limits = limits or Limits()
    arguments = [sys.executable, "-I", "-m", command] if isinstance(command, str) else command
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=_environment(environment or {}),
        cwd="/",
        umask=0o077,
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    child = Child(process, limits, on_progress, _secrets(spec))
    beside = [asyncio.create_task(child.log_errors())]
    gently = False
    try:
        await child.send(
            "spec", spec=spec, parent=os.getpid(), leash=limits.leash, niceness=limits.niceness
        )
        beside.append(asyncio.create_task(child.keep_leash()))
        yield child
        gently = True
    finally:
        try:
            await child.end(gently=gently)
        finally:
            await _release(process, beside)


async def _release(process: Process, beside: Sequence[asyncio.Task[None]]) -> None:
    """Read stderr to its end (a grandchild may hold it open: not for long), close the pipes."""
    log, *others = beside
    for task in others:
        task.cancel()
    await asyncio.wait([log], timeout=1.0)
    log.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 - asyncio has no other way to drop pipes that a grandchild holds
    await asyncio.sleep(0)


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **inherited, **extra}


def _secrets(value: object) -> list[str]:
    """Every secret in a spec, so that none of them can reach the log by way of stderr."""
    if isinstance(value, SecretStr):
        return [value.get_secret_value()] if value else []
    if isinstance(value, Mapping):
        return [secret for item in value.values() for secret in _secrets(item)]
    if isinstance(value, list | tuple):
        return [secret for item in value for secret in _secrets(item)]
    return []


def _pipe(stream: T | None) -> T:
    if stream is None:
        raise BrokenTalk
    return stream
