"""What a command says: results on standard output, the way there on standard error.

A terminal gets tables and progress bars; a pipe plain lines, or JSON where ``--json`` is given.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Protocol, TextIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from common.errors import Cancelled, Error, Invalid

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def _console(stream: TextIO, *, stderr: bool) -> Console:
    """A pipe gets lines as long as they are: whatever reads it wants whole ones."""
    if stream.isatty():
        return Console(stderr=stderr, highlight=False, soft_wrap=True)
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=4096, height=100)


out = _console(sys.stdout, stderr=False)
err = _console(sys.stderr, stderr=True)


class Report(Protocol):
    """Told how far a job is; called often."""

    def __call__(
        self, phase: str, done: int, total: int | None, entries: int, current: str
    ) -> None: ...


def note(text: str) -> None:
    """A line about what is being done."""
    err.print(text, markup=False)


def warn(text: str) -> None:
    """A line about what the user should know, although the work goes on."""
    err.print(f"warning: {text}", style="yellow", markup=False)


def fail(error: Error) -> None:
    """What went wrong and what to do, without a traceback."""
    err.print(f"strongroom: {error}", style="red", markup=False)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; ``yes`` is the answer given beforehand."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask on.", remedy="Confirm it with --yes.")
    if not typer.confirm(question, err=True):
        raise Cancelled("Nothing was done.")


def emit(document: Any) -> None:
    """A result for programs: one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def each(rows: Iterable[tuple[str, Any]], *, as_json: bool) -> None:
    """A result of any length, as it comes: a line each, or an element of one JSON array each."""
    if not as_json:
        for line, _ in rows:
            sys.stdout.write(f"{line}\n")
        return
    before = "[\n"
    for _, document in rows:
        sys.stdout.write(before + json.dumps(document, default=str))
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A result for people. Columns whose name begins with '>' stand to the right."""
    drawn = Table(
        title=title or None,
        show_header=any(columns),
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        drawn.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        drawn.add_row(*(_plain(cell) for cell in row))
    out.print(drawn)


def _plain(cell: object) -> str:
    """Names come from file systems and other users: no markup, no control characters."""
    text = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(cell)
    )
    return text.replace("[", r"\[")


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A progress bar on a terminal; silence elsewhere."""
    if not err.is_terminal:
        yield lambda *_: None
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(),
        DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=err, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(title, total=None)

        def report(phase: str, done: int, total: int | None, entries: int, current: str) -> None:
            del entries, current
            bar.update(task, description=f"{title}: {phase}", completed=done, total=total)

        yield report
