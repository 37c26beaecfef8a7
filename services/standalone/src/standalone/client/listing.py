"""Lists that the server gives in pages, and what is meant by a name in them."""

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer

from common.errors import NotFound
from standalone.client.api import Api

PAGE = 200

UserName = Annotated[str, typer.Argument(metavar="USER", help="The user's name or id.")]
OfUser = Annotated[
    str, typer.Option("--user", help="Another user's; else your own.", show_default=False)
]


def pages(api: Api, path: str, key: str) -> Iterator[dict[str, Any]]:
    """Everything in the list ``key`` at ``path``."""
    offset = 0
    while True:
        found = api.get(path, limit=PAGE, offset=offset)[key]
        yield from found
        if len(found) < PAGE:
            return
        offset += PAGE


def find_user(api: Api, reference: str) -> dict[str, Any]:
    """The user that ``reference`` means, a name or an id.

    Raises:
        NotFound: there is none.
    """
    try:
        user: dict[str, Any] = api.get(f"/api/users/{UUID(reference)}")
    except ValueError:
        wanted = _plain(reference)
        for user in pages(api, "/api/users", "users"):
            if _plain(user["name"]) == wanted:
                return user
        raise NotFound(
            f"There is no user '{reference}'.", remedy="List them with: strongroom users list"
        ) from None
    return user


def owner_path(api: Api, user: str) -> str:
    """Where the things of ``user`` are, or with an empty name one's own: a part of a path."""
    return f"/api/users/{find_user(api, user)['id']}" if user else ""


def pick(found: list[dict[str, Any]], reference: str, what: str, command: str) -> dict[str, Any]:
    """The one of ``found`` whose id, name or visible beginning is ``reference``.

    Raises:
        NotFound: there is none, or more than one.
    """
    matching = [
        each for each in found if reference in (each["id"], each.get("name"), each.get("prefix"))
    ]
    if len(matching) == 1:
        return matching[0]
    how_many = "more than one" if matching else "no"
    raise NotFound(
        f"There is {how_many} {what} '{reference}'.", remedy=f"Take an id from: {command}"
    )


def _plain(name: str) -> str:
    """User names are unique in this form."""
    return unicodedata.normalize("NFKC", name).strip().casefold()
