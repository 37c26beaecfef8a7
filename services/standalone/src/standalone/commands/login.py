"""``strongroom login``."""

import getpass
import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from common.errors import Invalid
from standalone import console
from standalone.client import credentials
from standalone.client.api import DEFAULT_SERVER, Api
from standalone.commands import new_app

app = new_app()

HINTS = {
    "password_change": "The password has to be changed first. Run: strongroom password",
    "mfa_enrolment": "This user needs a second factor before anything else.",
}


@app.command()
def login(
    server: Annotated[
        str, typer.Argument(envvar="STRONGROOM_SERVER", help="Address of the HTTP API.")
    ] = DEFAULT_SERVER,
    user: Annotated[str, typer.Option(help="Who to log in as.")] = "admin",
    password_file: Annotated[
        Path | None, typer.Option(help="File that holds the password.", show_default=False)
    ] = None,
) -> None:
    """Begin a session at a server; the other commands use it until it ends.

    The password is asked for, or taken from --password-file, or from STRONGROOM_PASSWORD.
    """
    if _in_clear(server):
        console.warn(f"{server} is not encrypted: the password can be read on the way. Use https.")
    with Api(server) as api:
        credentials_given = {"username": user, "password": _password(password_file)}
        session = api.post("/api/auth/login", credentials_given)
    if session.get("limit") == "second_factor":
        session = _complete(server, session["token"])
    credentials.keep(api.server, session["token"])
    console.note(f"Logged in to {api.server} as {session['user']['name']}.")
    if hint := HINTS.get(session.get("limit") or ""):
        console.warn(hint)


def _complete(server: str, token: str) -> Any:
    """The session after the second factor, which goes on under another token."""
    if not sys.stdin.isatty():
        raise Invalid(
            "This user has a second factor, and there is no terminal to ask for it.",
            remedy="Make an API key for programs, and set STRONGROOM_TOKEN to it.",
        )
    code = getpass.getpass("Code of the authenticator, or recovery code: ").strip()
    factor = "code" if code.replace(" ", "").isdigit() else "recovery_code"
    with Api(server, token) as api:
        return api.post("/api/auth/mfa/verify", {factor: code})


def _password(file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text().rstrip("\r\n")
        except OSError as error:
            raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
    if value := os.environ.get("STRONGROOM_PASSWORD"):
        return value
    if not sys.stdin.isatty():
        raise Invalid(
            "There is no terminal to ask for the password.",
            remedy="Name a file with --password-file, or set STRONGROOM_PASSWORD.",
        )
    return getpass.getpass("Password: ")


def _in_clear(server: str) -> bool:
    address = urlsplit(server)
    if address.scheme != "http" or address.hostname in (None, "localhost"):
        return False
    try:
        return not ipaddress.ip_address(str(address.hostname)).is_loopback
    except ValueError:
        return True
