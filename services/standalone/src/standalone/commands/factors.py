"""``strongroom factors``: your own second factors."""

from pathlib import Path
from typing import Annotated, Any

import typer

from common.errors import Error, Invalid, NotFound
from standalone import console, secretfile, text
from standalone.client import Api, asking, connect
from standalone.client.listing import pick
from standalone.client.proving import usable
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app(
    "Manage what you give beside your password: codes of an authenticator (TOTP), recovery codes,"
    " passkeys (which are made in a browser)."
)
TOTP = "totp"
TRIES = 3
WRONG = "wrong_factor"
Out = Annotated[
    Path | None,
    typer.Option(help="A new file (0600) for the recovery codes.", show_default=False),
]


@app.command("list")
def list_factors(as_json: console.AsJson = False, server: Server = DEFAULT) -> None:
    """List your second factors."""
    with connect(server) as api:
        standing = api.get("/api/auth/mfa")
        passkeys = api.get("/api/auth/passkeys")["passkeys"] if standing["passkeys"] else []
    if as_json:
        console.emit({**standing, "passkeys": passkeys})
        return
    rows: list[list[object]] = [
        ["authenticator (totp)", "set up" if standing["totp"] else "none"],
        ["recovery codes left", standing["recovery_codes_left"]],
        ["required by a role", "yes" if standing["required"] else "no"],
    ]
    rows += [
        [f"passkey {each['name']}", f"last used {text.moment(each['last_used_at'])}"]
        for each in passkeys
    ]
    console.table(["", ""], rows)


@app.command()
def add_totp(out: Out = None, server: Server = DEFAULT) -> None:
    """Set up an authenticator: shows its secret, asks for its first code, gives recovery codes.

    From then on every login by password asks for a code.
    """
    _require_terminal()
    secretfile.require_new(out)
    with connect(server) as api:
        enrolment = api.post("/api/auth/mfa/totp")
        console.note("Put this into the authenticator: the secret, or the address as a QR code.")
        for line in (enrolment["secret"], enrolment["uri"]):
            console.line(line)
        codes = _confirmed(api)
    console.note("The authenticator is set up.")
    _give(codes, out)


@app.command()
def remove(
    factor: Annotated[str, typer.Argument(help="'totp', or a passkey's name or id.")],
    server: Server = DEFAULT,
) -> None:
    """Take one of your second factors away."""
    with connect(server) as api:
        if factor == TOTP:
            _require_some(api)
            api.send("DELETE", "/api/auth/mfa/totp", json=asking.factor())
            console.note("The authenticator counts no more.")
            return
        found = api.get("/api/auth/passkeys")["passkeys"]
        passkey = pick(found, factor, "passkey", "strongroom factors list --json")
        api.send("DELETE", f"/api/auth/passkeys/{passkey['id']}")
    console.note(f"The passkey {passkey['name']} counts no more.")


@app.command()
def recovery_codes(out: Out = None, server: Server = DEFAULT) -> None:
    """Make new recovery codes; the former ones are worth nothing."""
    _require_terminal()
    secretfile.require_new(out)
    with connect(server) as api:
        _require_some(api)
        made = api.post("/api/auth/mfa/recovery-codes", asking.factor())
    _give(made["recovery_codes"], out)


def _confirmed(api: Api) -> list[str]:
    """The recovery codes, for a code of the new authenticator; a typing error is no end."""
    left = TRIES
    while True:
        code = asking.factor("First code of the authenticator")
        try:
            made: dict[str, Any] = api.post(
                "/api/auth/mfa/totp/confirm", {"code": next(iter(code.values()))}
            )
        except Error as error:
            left -= 1
            if error.code not in {WRONG, Invalid.code} or not left:
                raise
            console.warn(f"{error.message} Try the next one.")
        else:
            return list(made["recovery_codes"])


def _give(codes: list[str], out: Path | None) -> None:
    if out is None:
        console.note("Recovery codes, each for one time, for when the authenticator is gone:")
    advice = "Keep a copy of them offline."
    secretfile.give("\n".join(codes), out, "The recovery codes are", advice)


def _require_some(api: Api) -> None:
    if not usable(api.get("/api/auth/mfa")):
        raise NotFound(
            "There is no authenticator and no recovery code.",
            remedy="Set one up: strongroom factors add-totp",
        )


def _require_terminal() -> None:
    if not asking.possible():
        raise Invalid(
            "An authenticator asks for a terminal.", remedy="Run this where you can type a code."
        )
