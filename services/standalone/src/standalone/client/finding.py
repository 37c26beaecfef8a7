"""Which backup is meant: by its id, its name, or as the latest."""

from typing import Annotated, Any
from uuid import UUID

import typer

from common.errors import NotFound
from standalone.client.api import Api

Reference = Annotated[
    str, typer.Argument(metavar="BACKUP", help="Its name or id, or 'latest'.")
]  # fmt: skip


def find(api: Api, reference: str) -> dict[str, Any]:
    """The backup that ``reference`` means.

    Raises:
        NotFound: there is none, or it is not complete.
    """
    try:
        found: dict[str, Any] = api.get(f"/api/backups/{UUID(reference)}")
    except ValueError:
        name = None if reference == "latest" else reference
        page = api.get("/api/backups", state="completed", name=name, limit=1)
        if not page["backups"]:
            what = "no completed backup" if name is None else f"no completed backup '{name}'"
            raise NotFound(
                f"There is {what}.", remedy="List them with: strongroom backups"
            ) from None
        found = page["backups"][0]
    return found
