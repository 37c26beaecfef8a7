"""``strongroom audit``: what was done, and who can do what."""

from datetime import datetime
from typing import Annotated, Any

import typer

from standalone import console, text
from standalone.client import Api, connect
from standalone.client.listing import find_user, pages
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app("Read what was done by whom, and who can do what.")
USERS = "users:manage"
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="In UTC.", show_default=False)
]


@app.command("list")
def list_entries(
    since: Day = None,
    until: Day = None,
    event: Annotated[
        str | None, typer.Option(help="A type, as login_attempt.", show_default=False)
    ] = None,
    risk: Annotated[
        str | None, typer.Option(help="low, medium, high or critical.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many.")] = 0,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """List the audit log, newest first. Needs the permission audit:read."""
    with connect(server) as api:
        page = api.get(
            "/api/v2/security/audit-logs",
            start_date=since.date().isoformat() if since else None,
            end_date=until.date().isoformat() if until else None,
            event_type=event,
            risk_level=risk,
            limit=limit,
            offset=offset,
        )["data"]
        names = {} if as_json else _names(api)
    if as_json:
        console.emit(page)
        return
    console.table(
        ["time", "event", "outcome", "risk", "user", "address", "what"],
        [_row(entry, names) for entry in page["logs"]],
    )
    if older := page["total"] - offset - len(page["logs"]):
        console.note(f"{older} older ones are not shown (--limit, --offset).")


@app.command()
def permissions(
    user: Annotated[str, typer.Option(help="Of this user alone.", show_default=False)] = "",
    permission: Annotated[
        str, typer.Option(help="Who has this one, as backups:restore.", show_default=False)
    ] = "",
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Say who can do what, by which role, and when it was last done. Needs users:manage."""
    with connect(server) as api:
        found = api.get("/api/users/permissions")["permissions"]
        wanted = find_user(api, user)["id"] if user else ""
    uses = [
        use
        for use in found
        if (not wanted or use["user_id"] == wanted)
        and (not permission or use["permission"] == permission)
    ]
    if as_json:
        console.emit({"permissions": uses})
        return
    console.table(
        ["user", "may", "as", "last done"],
        [
            [
                f"{use['user_name']} (disabled)" if use["disabled"] else use["user_name"],
                use["permission"],
                ", ".join(use["roles"]),
                text.moment(use["last_used_at"]),
            ]
            for use in uses
        ],
    )


def _names(api: Api) -> dict[str, str]:
    """The names of users by id, for whoever may see them; to ask without that would be audited."""
    if USERS not in api.get("/api/auth/me")["permissions"]:
        return {}
    return {user["id"]: user["name"] for user in pages(api, "/api/users", "users")}


def _row(entry: dict[str, Any], names: dict[str, str]) -> list[object]:
    user = entry["user_id"] or ""
    return [
        text.moment(entry["timestamp"]),
        entry["event_type"],
        "done" if entry["success"] else "refused",
        entry["risk_level"],
        names.get(user, user),
        entry["ip_address"] or "",
        f"{entry['action']} {entry['resource'] or ''}".strip(),
    ]
