"""``strongroom password``."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from common.errors import Invalid
from standalone import console
from standalone.client import connect
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()

Current = Annotated[
    Path | None, typer.Option(help="File that holds the current one.", show_default=False)
]
New = Annotated[Path | None, typer.Option(help="File that holds the new one.", show_default=False)]


@app.command()
def password(current_file: Current = None, new_file: New = None, server: Server = DEFAULT) -> None:
    """Change your own password; every other session of yours ends."""
    current = _read(current_file, "Current password: ")
    new = _read(new_file, "New password: ")
    if new_file is None and getpass.getpass("The same again: ") != new:
        raise Invalid("The two are not the same.")
    with connect(server) as api:
        api.post("/api/auth/password", {"current_password": current, "new_password": new})
    console.note("The password is changed.")


def _read(file: Path | None, prompt: str) -> str:
    if file is not None:
        try:
            return file.read_text().rstrip("\r\n")
        except OSError as error:
            raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
    if not sys.stdin.isatty():
        raise Invalid(
            "There is no terminal to ask for a password.",
            remedy="Name files with --current-file and --new-file.",
        )
    return getpass.getpass(prompt)
