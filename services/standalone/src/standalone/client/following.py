"""Following an operation to its end."""

import time
from contextlib import closing
from typing import Any

from common.errors import Cancelled, Error, Unavailable, of_code
from standalone.client.api import Api
from standalone.console import Report

ENDED = ("succeeded", "failed", "cancelled")
SETTLING = 10.0  # seconds that the lists may lag behind an event
LOOK_AGAIN = 60.0  # seconds; listening alone does not keep a session alive


def follow(api: Api, operation: dict[str, Any], report: Report) -> dict[str, Any]:
    """The operation at its end, told ``report`` meanwhile.

    Raises:
        Error: it failed, as the class of its code; or it was cancelled.
    """
    while operation["state"] not in ENDED:
        patience = 0.0
        try:
            if _listen(api, operation["id"], report):
                patience = SETTLING
        except Unavailable:
            time.sleep(1)  # the stream broke; the next look says whether the server is gone
        operation = _look(api, operation["id"], patience)
    return _outcome(operation)


def _listen(api: Api, operation_id: str, report: Report) -> bool:
    """Until something other than progress happens: true. Or for a while, or while it lasts."""
    until = time.monotonic() + LOOK_AGAIN
    with closing(api.events("/api/events/stream", operation=operation_id)) as events:
        for event in events:
            if event.get("type") == "job.progressed":
                data = event["data"]
                report(
                    data["phase"],
                    data["done_bytes"],
                    data["total_bytes"],
                    data["entries"],
                    data["current"],
                    total_entries=data.get("total_entries"),
                    counting=data.get("counting", False),
                )
            elif event and _may_have_ended(event):
                return True
            if time.monotonic() > until:
                break
    return False


def _may_have_ended(event: dict[str, Any]) -> bool:
    """The first event of a stream is the operation as it is; the others are named for messages."""
    if "state" in event:
        return event["state"] in ENDED
    return not str(event.get("type")).endswith(".started")


def _look(api: Api, operation_id: str, patience: float) -> dict[str, Any]:
    """The operation as the server has it; its end may be on the way there for a moment."""
    deadline = time.monotonic() + patience
    while True:
        operation: dict[str, Any] = api.get(f"/api/operations/{operation_id}")
        if operation["state"] in ENDED or time.monotonic() > deadline:
            return operation
        time.sleep(0.1)


def _outcome(operation: dict[str, Any]) -> dict[str, Any]:
    if operation["state"] == "cancelled":
        raise Cancelled(f"The {operation['kind']} was cancelled.")
    if operation["state"] == "failed":
        failure = operation.get("failure") or {}
        raise of_code(
            failure.get("code", Error.code),
            failure.get("message") or f"The {operation['kind']} failed.",
            failure.get("remedy", ""),
        )
    return operation
