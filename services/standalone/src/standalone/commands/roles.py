"""``strongroom roles``: names for permissions."""

from typing import Annotated, Any

import typer

from common.errors import Invalid
from standalone import console, text
from standalone.client import connect
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app("Name sets of permissions, for users to have. Needs the permission users:manage.")
Name = Annotated[str, typer.Argument(metavar="ROLE", help="Its name.")]
Permissions = Annotated[
    list[str] | None,
    typer.Option(
        "--permission", help="As backups:read; may be given more than once.", show_default=False
    ),
]
Description = Annotated[str | None, typer.Option(help="What it is for.", show_default=False)]
Required = Annotated[
    bool | None,
    typer.Option(
        "--mfa-required/--no-mfa-required",
        help="Whether its users need a second factor.",
        show_default=False,
    ),
]


@app.command("list")
def list_roles(as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """List the roles."""
    with connect(server) as api:
        found = api.get("/api/roles")
    if as_json:
        console.emit(found)
        return
    console.table(
        ["name", "permissions", "second factor", ">users", "description"],
        [
            [
                role["name"],
                ", ".join(role["permissions"]),
                _factor(role),
                role["users"],
                role["description"],
            ]
            for role in found["roles"]
        ],
    )


@app.command()
def show(role: Name, as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """Show a role."""
    with connect(server) as api:
        _show(api.get(f"/api/roles/{role}"), as_json=as_json)


@app.command()
def create(
    role: Name,
    permission: Permissions = None,
    description: Description = None,
    mfa_required: Required = None,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Create a role of permissions that you hold."""
    wish = {"name": role, "permissions": [], **_given(permission, description, mfa_required)}
    with connect(server) as api:
        _show(api.post("/api/roles", wish), as_json=as_json)


@app.command()
def update(
    role: Name,
    permission: Permissions = None,
    description: Description = None,
    mfa_required: Required = None,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Change a role; it holds at once for everybody who has it. What is not given stays.

    The permissions given are all that it has from then on.
    """
    wish = _given(permission, description, mfa_required)
    if not wish:
        raise Invalid("Nothing is to be changed.", remedy="See: strongroom roles update --help")
    with connect(server) as api:
        _show(api.send("PATCH", f"/api/roles/{role}", json=wish), as_json=as_json)


@app.command()
def delete(role: Name, server: Server = DEFAULT) -> None:
    """Remove a role that nobody has."""
    with connect(server) as api:
        api.send("DELETE", f"/api/roles/{role}")
    console.note(f"The role {role} is deleted.")


def _given(
    permissions: list[str] | None, description: str | None, mfa_required: bool | None
) -> dict[str, Any]:
    wish = {
        "permissions": permissions or None,
        "description": description,
        "mfa_required": mfa_required,
    }
    return {name: value for name, value in wish.items() if value is not None}


def _factor(role: dict[str, Any]) -> str:
    return "required" if role["mfa_required"] else "as you like"


def _show(role: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.emit(role)
        return
    rows: list[list[object]] = [
        ["name", f"{role['name']} (built in)" if role["built_in"] else role["name"]],
        ["permissions", ", ".join(role["permissions"]) or "none"],
        ["second factor", _factor(role)],
        ["description", role["description"]],
        ["who has it", text.count(role["users"], "user")],
    ]
    console.table(["", ""], rows)
