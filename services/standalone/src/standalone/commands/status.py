"""``strongroom status``."""

from typing import Any

from standalone import console, text
from standalone.client import connect
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def status(as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """Say whether you are safe: the last good backup, the last proof, the copies, the space.

    What deleted backups have left in the repository, for others or until a prune, is not in it.
    """
    with connect(server) as api:
        overview = api.get("/api/backups/overview")
    if as_json:
        console.emit(overview)
        return
    console.table(["", ""], _rows(overview))
    if overview["damaged"]:
        console.warn(f"{text.count(overview['damaged'], 'backup')} damaged: strongroom backups")


def _rows(overview: dict[str, Any]) -> list[list[object]]:
    states = ", ".join(f"{number} {state}" for state, number in overview["backups"].items())
    rows: list[list[object]] = [
        ["last good backup", text.moment(overview["last_completed_at"])],
        ["last verified", text.moment(overview["last_verified_at"])],
        ["last restored", text.moment(overview["last_restored_at"])],
        ["last failure", text.moment(overview["last_failed_at"])],
        ["backups", states or "none"],
        ["size", text.size(overview["size_bytes"])],
        ["stored by them", text.size(overview["stored_bytes"])],
    ]
    rows += [
        [f"copies at {each['destination']}", f"{each['completed']}, {each['failed']} failed"]
        for each in overview["destinations"]
    ]
    return rows
