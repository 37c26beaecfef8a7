"""``strongroom login``."""

import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from standalone import console
from standalone.client import answers, asking, credentials
from standalone.client.api import DEFAULT_SERVER, Api
from standalone.client.proving import PasskeyNeeded, usable
from standalone.commands import new_app

app = new_app()

DEVICE = "X-Device-Token"
HINTS = {
    "password_change": "The password has to be changed first. Run: strongroom password",
    "mfa_enrolment": "This user needs a second factor first. Run: strongroom factors add-totp",
}


@app.command()
def login(
    server: Annotated[
        str, typer.Argument(envvar="STRONGROOM_SERVER", help="Address of the HTTP API.")
    ] = DEFAULT_SERVER,
    user: Annotated[str, typer.Option(help="Who to log in as.")] = "admin",
    password_file: asking.PasswordFile = None,
) -> None:
    """Begin a session at a server; the other commands use it until it ends.

    The password is asked for, or taken from --password-file, or from STRONGROOM_PASSWORD.
    """
    if _in_clear(server):
        console.warn(f"{server} is not encrypted: the password can be read on the way. Use https.")
    with Api(server) as api:
        session = _begin(api, user, asking.password("Password", password_file))
    if session.get("limit") == "second_factor":
        session = _complete(server, session["token"])
    credentials.keep(api.server, session["token"])
    console.note(f"Logged in to {api.server} as {session['user']['name']}.")
    if hint := HINTS.get(session.get("limit") or ""):
        console.warn(hint)


def _begin(api: Api, user: str, password: str) -> Any:
    """A session by password. A device that the server knows is not locked out with strangers."""
    device = credentials.device_of(api.server, user)
    answer = api.exchange(
        "POST",
        "/api/auth/login",
        json={"username": user, "password": password},
        headers={DEVICE: device} if device else {},
    )
    session = answers.read(answer)
    if DEVICE in answer.headers:
        credentials.keep_device(api.server, user, answer.headers[DEVICE])
    return session


def _complete(server: str, token: str) -> Any:
    """The session after the second factor, which goes on under another token."""
    with Api(server, token) as api:
        if not usable(api.get("/api/auth/mfa")):
            raise PasskeyNeeded
        return api.post("/api/auth/mfa/verify", asking.factor())


def _in_clear(server: str) -> bool:
    address = urlsplit(server)
    if address.scheme != "http" or address.hostname in (None, "localhost"):
        return False
    try:
        return not ipaddress.ip_address(str(address.hostname)).is_loopback
    except ValueError:
        return True
