"""Which server a command talks to."""

from typing import Annotated

import typer

Server = Annotated[
    str,
    typer.Option(
        envvar="STRONGROOM_SERVER",
        help="Address of the HTTP API; else that of the last login.",
        show_default=False,
    ),
]
DEFAULT = ""
