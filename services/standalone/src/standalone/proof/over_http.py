"""A backup, a verification and a restore, asked for as any client asks."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from common.errors import Cancelled, Corrupt, Error
from standalone import console, text
from standalone.client.api import Api
from standalone.client.following import follow
from standalone.proof.findings import Alive

COPY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Journey:
    """What the three operations answered, and the backup as it is listed afterwards."""

    backup: dict[str, Any]
    verification: dict[str, Any]
    restore: dict[str, Any]
    listed: dict[str, Any]


def travel(
    api: Api, components: list[str], target: str, databases: dict[str, str], alive: Alive
) -> Journey:
    """Back up, verify every byte, restore elsewhere. Blocking; ``alive`` raises to stop it.

    Raises:
        Corrupt: the verification found something.
        Error: one of the operations failed.
    """
    backup = _do(api, alive, "backup", "/api/backups", {"components": components})
    path = f"/api/backups/{backup['backup_id']}"
    verification = _do(api, alive, "verify", f"{path}/verify", {"read_data": True})
    if not verification["result"]["ok"]:
        raise Corrupt(f"The backup is damaged: {verification['result']['findings'][0]}")
    wish = {"target": target, "databases": databases}
    restore = _do(api, alive, "restore", f"{path}/restore", wish)
    return Journey(backup, verification, restore, _copied(api, path))


def _do(api: Api, alive: Alive, name: str, path: str, wish: dict[str, Any]) -> dict[str, Any]:
    begin = time.monotonic()
    operation = api.post(path, wish)

    def tell(*told: Any, **totals: Any) -> None:
        alive()
        report(*told, **totals)

    try:
        with console.progress(name) as report:
            operation = follow(api, operation, tell)
    except Cancelled:
        with suppress(Error):  # it may have ended, or the server with it
            api.post(f"/api/{operation['kind']}s/{operation['id']}/cancel")
        raise
    console.note(f"         {name} done in {text.duration(time.monotonic() - begin)}")
    return operation


def _copied(api: Api, path: str) -> dict[str, Any]:
    """The backup, when its copies are there; or as it is after a while."""
    deadline = time.monotonic() + COPY_SECONDS
    while True:
        listed: dict[str, Any] = api.get(path)
        states = {copy["state"] for copy in listed["copies"]}
        if states == {"completed"} or time.monotonic() > deadline:
            return listed
        time.sleep(0.2)
