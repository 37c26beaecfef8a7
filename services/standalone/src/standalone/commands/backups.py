"""``strongroom backups``."""

from typing import Annotated, Any

import typer

from standalone import console, text
from standalone.client import connect
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def backups(
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """List backups, newest first."""
    with connect(server) as api:
        page = api.get("/api/backups", limit=limit)
    if as_json:
        console.emit(page)
        return
    console.table(
        ["name", "state", "taken", ">entries", ">size", ">stored", "verified", "copies"],
        [_row(each) for each in page["backups"]],
    )
    if page["total"] > len(page["backups"]):
        console.note(f"{page['total'] - len(page['backups'])} older ones are not shown (--limit).")


def _row(backup: dict[str, Any]) -> list[object]:
    verified = {None: "no", True: "yes", False: "DAMAGED"}[backup["verified_ok"]]
    copies = [copy["destination"] for copy in backup["copies"] if copy["state"] == "completed"]
    return [
        backup["name"],
        backup["state"],
        text.moment(backup["created_at"]),
        backup["entries"],
        text.size(backup["size_bytes"]),
        text.size(backup["stored_bytes"]),
        verified,
        ", ".join(copies),
    ]
