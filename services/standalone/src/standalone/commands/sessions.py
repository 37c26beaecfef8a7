"""``strongroom sessions``: who is logged in, from where."""

from typing import Annotated, Any

import typer

from common.errors import Invalid
from standalone import console, text
from standalone.client import connect
from standalone.client.listing import OfUser, owner_path
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app("See and end sessions: your own, or with users:manage those of others.")


@app.command("list")
def list_sessions(
    user: OfUser = "", as_json: console.AsJson = False, server: Server = DEFAULT
) -> None:
    """List the open sessions, newest first."""
    with connect(server) as api:
        found = api.get(f"{owner_path(api, user) or '/api/auth'}/sessions")
    if as_json:
        console.emit(found)
        return
    console.table(
        ["id", "last seen", "address", "by"],
        [_row(session) for session in found["sessions"]],
    )


@app.command()
def revoke(
    session: Annotated[str, typer.Argument(help="Its id, as listed.", show_default=False)] = "",
    user: OfUser = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every one but that of this command.")
    ] = False,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """End a session, or all; its token is worth nothing from now on."""
    if bool(session) == everything:
        raise Invalid("Which one is not said.", remedy="Give its id, or --all.")
    with connect(server) as api:
        path = f"{owner_path(api, user) or '/api/auth'}/sessions"
        if everything:
            ended = api.send("DELETE", path)
        else:
            api.send("DELETE", f"{path}/{session}")
            ended = {"ended": 1}
    if as_json:
        console.emit(ended)
        return
    console.note(f"{text.count(ended['ended'], 'session')} ended.")


def _row(session: dict[str, Any]) -> list[object]:
    marks = [session["method"]]
    marks += ["second factor"] if session["second_factor"] else []
    marks += [session["user_agent"]] if session["user_agent"] else []
    marks += ["this one"] if session["current"] else []
    return [
        session["id"],
        text.moment(session["last_seen_at"]),
        session["address"],
        ", ".join(marks),
    ]
