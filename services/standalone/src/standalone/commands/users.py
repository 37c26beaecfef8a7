"""``strongroom users``: who may log in, and as what."""

from typing import Annotated, Any

import typer

from standalone import console, text
from standalone.client import asking, connect
from standalone.client.listing import UserName, find_user, pages
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app("Say who may log in, and with which roles. Needs the permission users:manage.")
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_users(as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """List the users by name."""
    with connect(server) as api:
        users = list(pages(api, "/api/users", "users"))
    if as_json:
        console.emit({"users": users})
        return
    console.table(
        ["name", "roles", "state", "second factor", "last login"],
        [
            [
                user["name"],
                ", ".join(user["roles"]),
                _state(user),
                _yes(user["second_factor"]),
                text.moment(user["last_login_at"]),
            ]
            for user in users
        ],
    )


@app.command()
def show(user: UserName, as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """Show a user."""
    with connect(server) as api:
        found = find_user(api, user)
    _show(found, as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the user logs in as.")],
    role: Annotated[
        list[str] | None, typer.Option(help="May be given more than once.", show_default=False)
    ] = None,
    password_file: asking.PasswordFile = None,
    change: Annotated[
        bool, typer.Option(help="Ask for another password at the first login.")
    ] = True,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Create a user. The password is asked for, or from a file or STRONGROOM_NEW_PASSWORD."""
    wish = {
        "username": name,
        "password": _new_password(password_file),
        "roles": role or [],
        "must_change_password": change,
    }
    with connect(server) as api:
        made = api.post("/api/users", wish)
    _show(made, as_json=as_json)


@app.command()
def rename(user: UserName, name: str, server: Server = DEFAULT) -> None:
    """Give a user another name."""
    _change(server, user, "PATCH", json={"username": name}, done=f"is {name} from now on")


@app.command()
def set_role(
    user: UserName,
    roles: Annotated[list[str], typer.Argument(help="These, and no others.")],
    server: Server = DEFAULT,
) -> None:
    """Give a user roles; they hold at once."""
    done = f"is {', '.join(roles)} from now on"
    _change(server, user, "PATCH", json={"roles": roles}, done=done)


@app.command()
def disable(user: UserName, yes: Yes = False, server: Server = DEFAULT) -> None:
    """Let a user in no more. Sessions and API keys end at once; the keys do not come back."""
    console.confirm(f"Disable {user} and remove the API keys of {user}?", yes=yes)
    _change(server, user, "POST", "/disable", done="is disabled")


@app.command()
def enable(user: UserName, server: Server = DEFAULT) -> None:
    """Let a user in again."""
    _change(server, user, "POST", "/enable", done="is enabled")


@app.command()
def reset_password(
    user: UserName, password_file: asking.PasswordFile = None, server: Server = DEFAULT
) -> None:
    """Give a user a password, to be changed at the next login. The user's sessions end."""
    given = {"password": _new_password(password_file)}
    done = "has to change the password at the next login"
    _change(server, user, "PUT", "/password", json=given, done=done)


@app.command()
def reset_factors(user: UserName, yes: Yes = False, server: Server = DEFAULT) -> None:
    """Take every second factor of a user away who has lost them. The user's sessions end."""
    console.confirm(f"Take every second factor of {user} away?", yes=yes)
    _change(server, user, "DELETE", "/mfa", done="has no second factor any more")


@app.command()
def link(
    user: UserName,
    subject: Annotated[str, typer.Argument(help="Who that is at the provider (claim 'sub').")],
    server: Server = DEFAULT,
) -> None:
    """Let a user log in at the provider of OpenID Connect too; the roles given here stay."""
    _change(server, user, "PUT", "/oidc", json={"subject": subject}, done="is linked")


@app.command()
def unlink(user: UserName, server: Server = DEFAULT) -> None:
    """Part a user from the provider again."""
    _change(server, user, "DELETE", "/oidc", done="is not linked any more")


@app.command()
def delete(user: UserName, yes: Yes = False, server: Server = DEFAULT) -> None:
    """Remove a user. What the user did stays in the audit log."""
    console.confirm(f"Delete the user {user} for good?", yes=yes)
    _change(server, user, "DELETE", done="is deleted")


def _change(
    server: str, user: str, method: str, path: str = "", *, done: str, json: Any = None
) -> None:
    """Send one change of a user, and say what is ``done`` then."""
    with connect(server) as api:
        api.send(method, f"/api/users/{find_user(api, user)['id']}{path}", json=json)
    console.note(f"{user} {done}.")


def _new_password(file: Any) -> str:
    return asking.password("Password of the user", file, asking.NEW_PASSWORD, twice=True)


def _state(user: dict[str, Any]) -> str:
    if user["disabled_at"]:
        return f"disabled {text.moment(user['disabled_at'])}"
    return "has to change the password" if user["must_change_password"] else "active"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _show(user: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.emit(user)
        return
    ways = {"password": user["has_password"], "OpenID Connect": user["external"]}
    rows: list[list[object]] = [
        ["name", user["name"]],
        ["id", user["id"]],
        ["roles", ", ".join(user["roles"]) or "none"],
        ["state", _state(user)],
        ["logs in by", ", ".join(way for way in ways if ways[way]) or "nothing yet"],
        ["second factor", _yes(user["second_factor"])],
        ["created", text.moment(user["created_at"])],
        ["last login", text.moment(user["last_login_at"])],
    ]
    console.table(["", ""], rows)
