"""What a command says: results on standard output, the way there on standard error.

A terminal gets tables and progress bars; a pipe plain lines, or JSON where ``--json`` is given.
Rich is imported only where it draws something: it takes longer than many a command.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TextIO

import typer

from common.errors import Cancelled, Error, Invalid
from standalone.text import size

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def _console(stream: TextIO) -> "Console":
    """A pipe gets lines as long as they are: whatever reads it wants whole ones."""
    from rich.console import Console  # noqa: PLC0415 - see above

    if stream.isatty():
        return Console(file=stream, highlight=False, emoji=False, soft_wrap=True)
    return Console(
        file=stream, highlight=False, emoji=False, soft_wrap=True, width=4096, height=100
    )


def _printable(text: str) -> str:
    """Names come from file systems and other users: one line, and no control characters."""
    if text.isprintable():
        return text
    return "".join(x if x.isprintable() else "\N{REPLACEMENT CHARACTER}" for x in text)


def _line(stream: TextIO, text: str, style: str = "") -> None:
    text = _printable(text)
    if stream.isatty():
        _console(stream).print(text, style=style, markup=False)
    else:
        stream.write(f"{text}\n")


class Report(Protocol):
    """Told how far a job is; called often. ``counting`` says that the totals are to come."""

    def __call__(
        self,
        phase: str,
        done: int,
        total: int | None,
        entries: int,
        current: str,
        *,
        total_entries: int | None = None,
        counting: bool = False,
    ) -> None: ...


def line(text: str = "") -> None:
    """A line of the result."""
    _line(sys.stdout, text)


def note(text: str) -> None:
    """A line about what is being done."""
    _line(sys.stderr, text)


def warn(text: str) -> None:
    """A line about what the user should know, although the work goes on."""
    _line(sys.stderr, f"warning: {text}", "yellow")


def fail(error: Error) -> None:
    """What went wrong and what to do, without a traceback. Further lines of it stand back."""
    for each in f"strongroom: {error}".replace("\n", "\n  ").split("\n"):
        _line(sys.stderr, each, "red")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; ``yes`` is the answer given beforehand."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask on.", remedy="Confirm it with --yes.")
    if not typer.confirm(_printable(question), err=True):
        raise Cancelled("Nothing was done.")


def emit(document: Any) -> None:
    """A result for programs: one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def each(rows: Iterable[tuple[str, Any]], *, as_json: bool) -> None:
    """A result of any length, as it comes: a line each, or an element of one JSON array each."""
    if not as_json:
        for line, _ in rows:
            sys.stdout.write(f"{_printable(line)}\n")
        return
    before = "[\n"
    for _, document in rows:
        sys.stdout.write(before + json.dumps(document, default=str))
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A result for people. Columns whose name begins with '>' stand to the right.

    A narrow terminal breaks lines and loses nothing; an ``id``, which is copied, stays whole.
    """
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - the same; what it gets is no markup

    drawn = Table(
        title=title or None,
        show_header=any(columns),
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        name = column.lstrip(">")
        drawn.add_column(name, justify=justify, overflow="fold", no_wrap=name == "id")
    for row in rows:
        drawn.add_row(*(Text(_printable(str(cell))) for cell in row))
    _console(sys.stdout).print(drawn)


def is_watched() -> bool:
    """Whether somebody sees a progress bar."""
    return sys.stderr.isatty()


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A progress bar on a terminal; silence elsewhere."""
    if not is_watched():
        yield lambda *_, **__: None
        return
    from rich.progress import (  # noqa: PLC0415 - see above
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
    )

    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(bar_width=24),
        TaskProgressColumn(), TextColumn("{task.fields[amount]}"),
        TextColumn("{task.fields[left]}"),
        console=_console(sys.stderr), transient=True,
    ) as drawn:  # fmt: skip
        yield _Bar(title, drawn)


class _Bar:
    """The report that a progress bar shows."""

    def __init__(self, title: str, drawn: "Progress") -> None:
        self._title, self._drawn = title, drawn
        self._task = drawn.add_task(title, total=None, amount="", left="")
        from common.pace import Pace  # noqa: PLC0415 - as rich

        self._pace = Pace()
        self._shown, self._counts = 0, False

    def __call__(
        self,
        phase: str,
        done: int,
        total: int | None,
        entries: int,
        current: str,
        *,
        total_entries: int | None = None,
        counting: bool = False,
    ) -> None:
        """Show it."""
        del current
        counts = total is None and total_entries is not None
        shown, whole = (entries, total_entries) if counts else (done, total)
        if counts != self._counts or shown < self._shown:  # of something else now, and its pace
            self._drawn.reset(self._task)
            self._pace.begin(done, entries)
        self._shown, self._counts = shown, counts
        self._pace.advance(done, entries)
        left = self._pace.seconds_left(total, total_entries)
        if whole is None:  # which an update takes for: as before
            self._drawn.tasks[0].total = None
        self._drawn.update(
            self._task,
            description=f"{self._title}: {_printable(phase)}{', counting' if counting else ''}",
            completed=shown,
            total=whole,
            amount=f"{shown:,} of {whole:,}" if counts else self._bytes(done, total),
            left="" if left is None else str(timedelta(seconds=round(left))),
        )

    def _bytes(self, done: int, total: int | None) -> str:
        if not done and total is None:
            return ""
        whole = "" if total is None else f" of {size(total)}"
        return f"{size(done)}{whole}, {size(self._pace.bytes_per_second)}/s"
