"""Which server a command talks to."""

from typing import Annotated

import typer

from standalone.client.api import DEFAULT_SERVER

Server = Annotated[
    str, typer.Option(envvar="STRONGROOM_SERVER", help="Address of the HTTP API.")
]  # fmt: skip
DEFAULT = DEFAULT_SERVER
