"""``strongroom apikeys``: what programs log in with."""

from pathlib import Path
from typing import Annotated, Any

import typer

from common.errors import Invalid
from standalone import console, secretfile, text
from standalone.client import connect
from standalone.client.listing import OfUser, owner_path, pick
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app(
    "Make keys for programs, which set STRONGROOM_TOKEN to one. None does more than its owner may."
)
LIST = "strongroom apikeys list"


@app.command("list")
def list_keys(user: OfUser = "", as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """List the API keys, newest first; never their secrets."""
    with connect(server) as api:
        found = api.get(f"{owner_path(api, user) or '/api'}/api-keys")
    if as_json:
        console.emit(found)
        return
    console.table(
        ["name", "begins with", "scopes", "station", "expires", "last used"],
        [_row(key) for key in found["api_keys"]],
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str], typer.Option(help="A permission, as backups:create; more than once for more.")
    ],
    expires: Annotated[str, typer.Option(metavar="DAYS", help="Or 'never'.")] = "90",
    station: Annotated[
        str, typer.Option(help="The only one that it is for.", show_default=False)
    ] = "",
    sensitive: Annotated[
        bool, typer.Option(help="It may delete, restore over a source and change users.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A new file (0600) for the key.", show_default=False)
    ] = None,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Make an API key of your own. It is shown this once, on standard output or in --out."""
    wish = {
        "name": name,
        "scopes": scope,
        "expires_in_days": _days(expires),
        "station": station,
        "sensitive": sensitive,
    }
    secretfile.require_new(out)
    with connect(server) as api:
        made = api.post("/api/api-keys", wish)
    if out is not None or not as_json:
        secretfile.give(made["key"], out, advice="It is not shown again.")
    if as_json:
        console.emit(made if out is None else {"api_key": made["api_key"]})


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its name, id, or how it begins.")],
    user: OfUser = "",
    server: Server = DEFAULT,
) -> None:
    """Take an API key out of use, at once and for good."""
    with connect(server) as api:
        path = f"{owner_path(api, user) or '/api'}/api-keys"
        found = pick(api.get(path)["api_keys"], key, "API key", LIST)
        api.send("DELETE", f"{path}/{found['id']}")
    console.note(f"The API key {found['name']} ({found['prefix']}…) is revoked.")


def _days(expires: str) -> int | None:
    if expires == "never":
        return None
    if not expires.isdecimal():
        raise Invalid(f"'{expires}' is no number of days.", remedy="Write it like 90, or 'never'.")
    return int(expires)


def _row(key: dict[str, Any]) -> list[object]:
    scopes = ", ".join(key["scopes"])
    return [
        key["name"],
        key["prefix"],
        f"{scopes} (sensitive)" if key["sensitive"] else scopes,
        key["station"] or "all",
        text.moment(key["expires_at"]),
        text.moment(key["last_used_at"]),
    ]
