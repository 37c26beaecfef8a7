"""How soon the API answers a logged-in reader while the same product takes a backup.

The product is started as ``strongroom up`` in a folder of its own, with the settings it comes with
but for the limit of requests. A reader asks at a fixed pace, whether or not the answer before was
late: an answer's time counts from when its question was due.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx

from integration.standalone_process import Machine, machine

BAR = 50.0
_PASSWORD = "correct-horse-battery-staple-47"
_PACE = 0.02
_IDLE_SECONDS = 5.0
_LONGEST = 300.0
_READS = ("/api/auth/me", "/api/backups", "/api/backups/overview")
_NO_LIMIT = str(10**9)


def measure(tree: Path) -> dict[str, Any]:
    """Rows for an idle product, during a backup of ``tree``, and during a restore of it."""
    with machine() as place:
        place.environment |= {
            "STRONGROOM_ADMIN_PASSWORD": _PASSWORD,
            "SECURITY_MAX_REQUESTS_PER_MINUTE": _NO_LIMIT,
            "SECURITY_MAX_REQUESTS_PER_HOUR": _NO_LIMIT,
        }
        with place.up():
            _name_component(place.data / "components.toml", tree)
            with httpx.Client(base_url=place.url, timeout=30) as api:
                _log_in(api)
                rows = list(_rows(api, place))
    for row in rows:
        print(json.dumps(row), flush=True)  # noqa: T201 - the result of a command
    return {"rows": rows, "bar": BAR}


def _rows(api: httpx.Client, place: Machine) -> Iterator[dict[str, Any]]:
    token = api.headers["Authorization"]
    end = time.monotonic() + _IDLE_SECONDS
    yield _row("nothing else runs", _ask(place.port, token, lambda: time.monotonic() < end))
    wish = {"components": ["files"], "upload_to_cloud": False}
    backup = _begun(api, "/api/backups", wish)
    yield _row("a backup runs", _ask(place.port, token, _Running(api, backup)))
    restore = _begun(api, f"/api/backups/{backup}/restore", {})
    yield _row("a restore runs", _ask(place.port, token, _Running(api, restore)))


def _row(name: str, times: list[float]) -> dict[str, Any]:
    found = sorted(1000 * each for each in times)
    return {
        "name": name,
        "requests": len(found),
        "median": statistics.median(found),
        "p99": found[int(len(found) * 0.99)],
        "most": found[-1],
    }


def _ask(port: int, token: str, going_on: Callable[[], bool]) -> list[float]:
    """Seconds that each answer took, from when its question was due."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times: list[float] = []
    due = time.perf_counter()
    limit = due + _LONGEST
    for path in cycle(_READS):
        if due > limit or not going_on():
            return times
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", path, headers={"Authorization": token})
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - due)
        if answer.status != http.client.OK:
            raise SystemExit(f"{path}: {answer.status}")
        due += _PACE
    return times


class _Running:
    """Whether an operation has not ended yet; asked again every half second, apart."""

    def __init__(self, api: httpx.Client, operation: str) -> None:
        self._api, self._path = api, f"/api/operations/{operation}"
        self._next, self._state = 0.0, ""

    def __call__(self) -> bool:
        if time.monotonic() > self._next:
            found = _read(self._api.get(self._path))
            self._state, self._next = found["state"], time.monotonic() + 0.5
            if self._state in {"failed", "cancelled"}:
                raise SystemExit(json.dumps(found))
        return self._state != "succeeded"


def _name_component(path: Path, tree: Path) -> None:
    """Add the tree to what the station backs up, as its owner would."""
    rest = path.read_text().partition("\n")[2]
    path.write_text(
        f"{rest}\n[components.files]\nkind = 'files'\npaths = [{json.dumps(str(tree))}]\n"
    )


def _log_in(api: httpx.Client) -> None:
    given = {"username": "admin", "password": _PASSWORD}
    session = _read(api.post("/api/auth/login", json=given))
    api.headers["Authorization"] = f"Bearer {session['token']}"


def _begun(api: httpx.Client, path: str, wish: dict[str, Any]) -> str:
    operation: str = _read(api.post(path, json=wish))["id"]
    return operation


def _read(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise SystemExit(answer.text)
    return answer.json()
