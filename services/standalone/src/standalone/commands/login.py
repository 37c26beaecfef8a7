"""``strongroom login``."""

import getpass
import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from common.errors import Invalid
from standalone import console
from standalone.client import credentials
from standalone.client.api import DEFAULT_SERVER, Api
from standalone.commands import new_app

app = new_app()


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
    credentials.keep(api.server, session["token"])
    console.note(f"Logged in to {api.server} as {session['user']['name']}.")


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
