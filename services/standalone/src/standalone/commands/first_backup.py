"""``strongroom first-backup``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from common.errors import Invalid
from standalone import console
from standalone.commands import new_app
from standalone.commands.up import Data, Host, Port

app = new_app()
DOCUMENTS = Path(__file__).resolve().parents[5] / "docs"


@app.command()
def first_backup(
    data: Data,
    source: Annotated[
        Path | None, typer.Option(help="Folder to back up; else Strongroom's documents.")
    ] = None,
    port: Port = 8000,
    host: Host = "127.0.0.1",
    leave: Annotated[bool, typer.Option("--exit", help="End after the proof.")] = False,
) -> None:
    """Start the product, back up a folder and the own database, prove both by a restore."""
    console.note("Strongroom starts")
    folder = _resolved(source)
    # Imports six services, which takes a second: the user has seen a line by now.
    from standalone.product.launch import Launch, Session, greet  # noqa: PLC0415
    from standalone.proof.demonstration import Demonstration  # noqa: PLC0415
    from standalone.proof.report import show  # noqa: PLC0415

    async def prove(session: Session) -> None:
        console.note(f"         backing up {folder} and the database, then restoring both")
        try:
            show(await Demonstration(session, folder).run())
        except BaseException:
            if session.first_password:  # it is shown once, whatever else happens
                greet(session)
            raise
        greet(session)
        if not leave:
            console.note("Stop it with Ctrl-C.")
            await asyncio.Event().wait()

    Launch(data, host, port, folder).run(prove)


def _resolved(source: Path | None) -> Path:
    folder = (source or (DOCUMENTS if DOCUMENTS.is_dir() else Path.cwd())).resolve()
    if not folder.exists():
        raise Invalid(f"SOURCE {source} does not exist.", remedy="Name a folder that is there.")
    if not folder.is_dir():
        raise Invalid(f"SOURCE {source} is not a folder.", remedy="Name the folder that it is in.")
    return folder
