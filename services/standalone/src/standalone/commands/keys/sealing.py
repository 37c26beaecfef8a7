"""What a running Strongroom has sealed under which key, as ``strongroom keys status`` shows it."""

from typing import Any

import typer

from standalone import console, text
from standalone.client import connect


def show(server: str, *, as_json: bool) -> None:
    """How far it has come to seal secrets of former keys anew, asked of the server.

    Raises:
        typer.Exit: with 1, something opens with no key that is given.
    """
    with connect(server) as api:
        found = api.get("/api/v2/security/keys")["data"]
    if as_json:
        console.emit(found)
    else:
        console.table(
            ["setting", "key", ">former keys", ">sealed under it", "finished", ""],
            [_row(key) for key in found["keys"]],
        )
    lost = [key for key in found["keys"] if key["unreadable"]]
    for key in lost:
        console.warn(
            f"{text.count(key['unreadable'], 'secret')} of {key['setting']} open with no key that"
            " is given: put the former key back behind the newest."
        )
    for setting in found["unanswered"]:
        console.warn(f"The service that has {setting} does not answer.")
    if lost or found["unanswered"]:
        raise typer.Exit(1)


def _row(key: dict[str, Any]) -> list[object]:
    done = key["secrets"] - key["under_former_keys"]
    return [
        key["setting"],
        key["key_id"] or "not set",
        key["former_keys"],
        f"{done:,} of {key['secrets']:,}",
        text.moment(key["finished_at"]) if key["finished_at"] else "",
        _advice(key),
    ]


def _advice(key: dict[str, Any]) -> str:
    if key["under_former_keys"]:
        return "keep the former keys: the rest is being sealed anew"
    return "nothing stored here needs the former keys" if key["droppable"] else ""
