"""``strongroom backup``."""

from typing import Annotated, Any

import typer

from standalone import console, text
from standalone.client import connect
from standalone.client.following import follow
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def backup(
    components: Annotated[
        list[str] | None,
        typer.Argument(help="As configured on the station; none means all.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Else one is made.", show_default=False)] = None,
    backup_type: Annotated[
        str,
        typer.Option(
            "--type", help="full, or incremental: it reads no file known to be unchanged."
        ),
    ] = "full",
    station: Annotated[
        str | None, typer.Option(help="Whose data; else the server's own.", show_default=False)
    ] = None,
    upload: Annotated[bool, typer.Option(help="Copy it to every destination.")] = True,
    wait: Annotated[bool, typer.Option(help="Wait for its end.")] = True,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Take a backup now and follow it."""
    wish: dict[str, Any] = {"backup_type": backup_type, "upload_to_cloud": upload}
    wish |= {"components": components} if components else {}
    wish |= {"backup_name": name} if name else {}
    wish |= {"station": station} if station else {}
    with connect(server) as api:
        operation = api.post("/api/backups", wish)
        if not wait:
            _show(operation, as_json=as_json)
            return
        with console.progress("backup") as report:
            operation = follow(api, operation, report)
    _show(operation, as_json=as_json)
    if operation["result"]["warnings"]:
        raise typer.Exit(1)


def _show(operation: dict[str, Any], *, as_json: bool) -> None:
    result = operation["result"]
    if as_json:
        console.emit(operation)
    elif result is None:
        console.line(operation["id"])
    else:
        console.table(
            ["component", "kind", ">entries", ">size"],
            [
                [part["name"], part["kind"], part["entries"], text.size(part["size_bytes"])]
                for part in result["components"]
            ],
        )
        console.note(
            f"Backup {operation['id']}: {text.size(result['size_bytes'])} in all,"
            f" {text.size(result['stored_bytes'])} stored,"
            f" {text.duration(result['duration_seconds'])}."
        )
        for warning in result["warnings"]:
            console.warn(warning)
