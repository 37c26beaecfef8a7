"""``strongroom logout``."""

from common.errors import Unauthorized
from standalone import console
from standalone.client import connect, credentials
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app

app = new_app()


@app.command()
def logout(server: Server = DEFAULT) -> None:
    """End the session; its token is worth nothing from now on."""
    with connect(server) as api:
        try:
            api.post("/api/auth/logout")
        except Unauthorized:
            console.note("There was no session.")
        credentials.forget(api.server)
