"""``strongroom password``."""

from pathlib import Path
from typing import Annotated

import typer

from standalone import console
from standalone.client import asking, connect
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()

Current = Annotated[
    Path | None, typer.Option(help="File that holds the current one.", show_default=False)
]
New = Annotated[Path | None, typer.Option(help="File that holds the new one.", show_default=False)]


@app.command()
def password(current_file: Current = None, new_file: New = None, server: Server = DEFAULT) -> None:
    """Change your own password; every other session of yours ends.

    Both are asked for, or from files, or from STRONGROOM_PASSWORD and STRONGROOM_NEW_PASSWORD.
    """
    current = asking.password("Current password", current_file, option="--current-file")
    new = asking.password(
        "New password", new_file, asking.NEW_PASSWORD, option="--new-file", twice=True
    )
    with connect(server) as api:
        api.post("/api/auth/password", {"current_password": current, "new_password": new})
    console.note("The password is changed.")
