"""``strongroom verify``."""

from typing import Annotated

import typer

from common.errors import Corrupt
from standalone import console, text
from standalone.client import connect
from standalone.client.finding import Reference, find
from standalone.client.following import follow
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def verify(
    backup: Reference,
    read_data: Annotated[
        bool, typer.Option(help="Read every byte, not only the structure.")
    ] = True,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Check that everything that a backup consists of is there and unharmed."""
    with connect(server) as api:
        found = find(api, backup)
        operation = api.post(f"/api/backups/{found['id']}/verify", {"read_data": read_data})
        with console.progress("verify") as report:
            operation = follow(api, operation, report)
    result = operation["result"]
    if as_json:
        console.emit(operation)
    for finding in result["findings"]:
        console.warn(finding)
    if not result["ok"]:
        raise Corrupt(
            f"The backup {found['name']} is damaged.",
            remedy="Restore what is intact, and take what is missing from another copy.",
        )
    console.note(
        f"{found['name']} is whole: {text.count(result['objects'], 'object')},"
        f" {text.size(result['read_bytes'])} read, {text.duration(result['duration_seconds'])}."
    )
