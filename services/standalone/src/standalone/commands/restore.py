"""``strongroom restore``."""

from typing import Annotated, Any

import typer

from common.errors import Invalid
from standalone import console, text
from standalone.client import connect
from standalone.client.finding import Reference, find
from standalone.client.following import follow
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def restore(  # noqa: PLR0913 - one parameter for each option
    backup: Reference,
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Only these, relative to the component.", show_default=False),
    ] = None,
    *,
    component: Annotated[
        list[str] | None, typer.Option(help="Only these; may be repeated.", show_default=False)
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Folder below the restore folder; else new.", show_default=False),
    ] = None,
    database: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMPONENT=DATABASE", help="New database for a component.", show_default=False
        ),
    ] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Over the source.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Restore a backup, all of it or a part, beside the source or over it."""
    wish: dict[str, Any] = {"in_place": in_place, "databases": _pairs(database or [])}
    wish |= {"components": component} if component else {}
    wish |= {"paths": paths} if paths else {}
    wish |= {"target": target} if target else {}
    with connect(server) as api:
        found = find(api, backup)
        if in_place:
            console.confirm(f"Overwrite the source with the backup {found['name']}?", yes=yes)
        operation = api.post(f"/api/backups/{found['id']}/restore", wish)
        with console.progress("restore") as report:
            operation = follow(api, operation, report)
    _show(operation, as_json=as_json)
    if operation["result"]["warnings"]:
        raise typer.Exit(1)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if any(not (name and value) for name, _, value in pairs):
        raise Invalid("--database is written COMPONENT=DATABASE.")
    return {name: value for name, _, value in pairs}


def _show(operation: dict[str, Any], *, as_json: bool) -> None:
    result = operation["result"]
    if as_json:
        console.emit(operation)
        return
    console.note(
        f"Restored {text.count(result['entries'], 'entry')}, {text.size(result['size_bytes'])},"
        f" in {text.duration(result['duration_seconds'])}, to:"
    )
    for place in filter(None, (result["target"], *operation["request"]["databases"].values())):
        console.line(place)
    for warning in result["warnings"]:
        console.warn(warning)
