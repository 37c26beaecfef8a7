"""The ``strongroom`` command: what there is, and how it ends."""

import errno
import os
import sys
import time
from typing import Annotated

import typer
from typer.main import get_command

from common.errors import Conflict, Error, NoSpace, NotFound
from standalone import console
from standalone.commands import called

HELP = """Encrypted, deduplicated backups that prove they come back.

Exit codes: 0 done; 1 done, with warnings, or nobody read all of the output; 2 wrong usage or an
unacceptable request; 3 an unexpected error; 4 not allowed; 5 not found; 6 in conflict with the
current state; 7 damaged data; 8 wrong key; 9 no space; 10 something needed does not answer; 11
cancelled; 12 a component could not be backed up; 13 a component could not be restored; 130
interrupted; 143 terminated.
"""
COMMANDS = (
    "up", "first-backup",
    "login", "logout", "password", "backup", "backups", "verify", "restore", "delete", "status",
    "users", "roles", "sessions", "apikeys", "factors", "audit",
    "repo", "rescue", "keys", "serve", "dead-letters",
)  # fmt: skip
_YEAR_10000 = 253_402_300_800


app = typer.Typer(
    cls=called({name: name.replace("-", "_") for name in COMMANDS}),
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this needs it

        console.line(f"strongroom {version('strongroom-standalone')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the version, and end."
        ),
    ] = False,
) -> None:
    """Only carries the help."""


def main() -> None:
    """Run the command; every failure is a sentence and an exit code."""
    try:
        get_command(app)(prog_name="strongroom")
    except Error as error:
        console.fail(error)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("STRONGROOM_DEBUG"):
            raise
        unforeseen = _explained(error)
        console.fail(unforeseen)
        sys.exit(unforeseen.exit_code)


def _explained(error: Exception) -> Error:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NoSpace("There is no space for the output.", remedy="Free some where it goes.")
    if isinstance(error, ValueError | OverflowError) and not 0 <= time.time() < _YEAR_10000:
        return Conflict(f"This machine's clock is wrong: {error}.", remedy="Set it and try again.")
    if isinstance(error, OSError) and (error.errno, error.filename) == (errno.ENOENT, None):
        # Of the calls without a path that can fail so, only os.getcwd comes this far.
        return NotFound("The current folder has been deleted.", remedy="Change to another one.")
    return Error(f"{type(error).__name__}: {error}", remedy="STRONGROOM_DEBUG=1 shows where.")
