"""From the ``type`` of an envelope to the class of its message, and back from bytes."""

import json
from typing import Any

from pydantic import ValidationError

from common.errors import Invalid
from common.messages.base import Message
from common.messages.envelope import Envelope


class Unreadable(Invalid):
    """These bytes are not a message that this version understands."""

    code = "unreadable_message"


def _subclasses(cls: type[Message]) -> list[type[Message]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _subclasses(child))]


def types() -> dict[str, type[Message]]:
    """Every message type by its name. Importing ``common.messages`` makes all of them known."""
    return {cls.type: cls for cls in _subclasses(Message) if "type" in vars(cls)}


def encode(envelope: Envelope) -> bytes:
    """The envelope as CloudEvents structured JSON."""
    return envelope.model_dump_json().encode()


def decode(raw: bytes) -> Envelope:
    """Read an envelope and its message.

    Raises:
        Unreadable: not JSON, not an envelope, of an unknown type, or with unacceptable fields.
    """
    # No cause is kept: its text would show the content wherever a traceback is logged.
    try:
        document: dict[str, Any] = json.loads(raw)
        cls = types()[document["type"]]
        return Envelope(**{**document, "data": cls.model_validate(document["data"])})
    except ValidationError as error:
        raise _unreadable(f"unacceptable fields {_fields(error)}") from None
    except KeyError:
        raise _unreadable("no data, or of a type that is not known here") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _unreadable("not an envelope in JSON") from None


def _unreadable(why: str) -> Unreadable:
    return Unreadable(f"A message cannot be read: {why}.")


def _fields(error: ValidationError) -> str:
    """Which fields, and what is wrong with them, without their values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    return ", ".join(f"{'.'.join(map(str, one['loc']))} ({one['type']})" for one in found)
