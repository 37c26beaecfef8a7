"""``strongroom up``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from standalone import console
from standalone.commands import new_app

app = new_app()
Data = Annotated[Path, typer.Option(help="Everything is kept there; made if it is missing.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


@app.command()
def up(data: Data, port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """Run the whole product on this machine until Ctrl-C.

    The first start prints the administrator's password, once. STRONGROOM_ADMIN_PASSWORD, or
    STRONGROOM_ADMIN_PASSWORD_FILE, sets it instead, for unattended use. With
    GATEWAY_TLS_CERTIFICATE and GATEWAY_TLS_KEY, two PEM files, the API speaks https alone.
    """
    console.note("Strongroom starts")
    # Imports six services, which takes a second: the user has seen a line by now.
    from standalone.product.launch import Launch, Session, greet  # noqa: PLC0415

    async def stay(session: Session) -> None:
        greet(session)
        console.note("Stop it with Ctrl-C.")
        await asyncio.Event().wait()

    Launch(data, host, port).run(stay)
