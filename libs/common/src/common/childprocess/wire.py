"""Lines between a process and its child: JSON objects with a ``kind``, and errors by their code."""

import errno
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretStr

from common.errors import Error, NoSpace, of_code

LONGEST_LINE = 8 * 1024 * 1024
"""A longer line is a fault of the other side, not something to buffer."""


class BrokenTalk(Error):
    """The process of this job said something that was not expected."""

    code = "broken_talk"


def _plain(value: object) -> object:
    """What JSON does not know by itself. Secrets are revealed: they travel in a pipe alone."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def encode(kind: str, fields: Mapping[str, Any]) -> bytes:
    """One message as one line. SecretStr, Path, UUID, datetime, pydantic models are understood."""
    return json.dumps({**fields, "kind": kind}, default=_plain).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message in ``line``.

    Raises:
        BrokenTalk: not a JSON object with a ``kind``.
    """
    try:
        message = json.loads(line)
    except ValueError as error:
        raise BrokenTalk from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise BrokenTalk
    return message


def describe(error: Exception) -> dict[str, str]:
    """What the other side is told of ``error``: of an unforeseen one no more than its class."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        error = NoSpace(remedy="Free some space or choose another directory.")
    if isinstance(error, Error):
        return {"code": error.code, "message": error.message, "remedy": error.remedy}
    return {
        "code": Error.code,
        "message": f"An unforeseen {type(error).__name__} stopped the work.",
        "remedy": "The log has its traceback.",
    }


def revive(fields: Mapping[str, Any]) -> Error:
    """The error that ``describe`` wrote down."""
    code, message, remedy = (str(fields.get(name, "")) for name in ("code", "message", "remedy"))
    return of_code(code, message, remedy)
