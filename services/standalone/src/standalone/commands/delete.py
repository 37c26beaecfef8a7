"""``strongroom delete``."""

from typing import Annotated

import typer

from standalone import console
from standalone.client import connect
from standalone.client.finding import Reference, find
from standalone.client.following import follow
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def delete(
    backup: Reference,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Delete a backup from the repository."""
    with connect(server) as api:
        found = find(api, backup)
        console.confirm(f"Delete the backup {found['name']} for good?", yes=yes)
        operation = api.send("DELETE", f"/api/backups/{found['id']}", params={"reason": reason})
        with console.progress("delete") as report:
            operation = follow(api, operation, report)
    if as_json:
        console.emit(operation)
    console.note(f"{found['name']} is deleted.")
