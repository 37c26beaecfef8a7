"""Writes docs/asyncapi.yaml, the AsyncAPI 3 document of every message, from ``common.messages``.

.venv/bin/python .ci/asyncapi.py
"""

import inspect
import io
import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from common.bus.amqp import topology
from common.messages import Command, Envelope, Event, Message, Question, QuestionFailed, types

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "asyncapi.yaml"
GOLDEN = ROOT / "libs" / "common" / "tests" / "golden"
SCHEMAS = "#/components/schemas/"
HEADER = "# Made by .ci/asyncapi.py from common.messages. Do not edit.\n"

DESCRIPTION = """\
Every message between the services of Strongroom is a CloudEvent 1.0 in structured JSON mode. From
outside only the events are meant to be used, with the read-only login `subscriber`: bind a queue of
your own, named `subscriber.…`, to the exchange `strongroom.events`. Fields are only ever added, so
ignore those that you do not know. See events.md."""

Document = dict[str, Any]


def ours(kind: type[Message]) -> list[type[Message]]:
    """The messages of one kind, by name."""
    found = (cls for cls in types().values() if cls.__module__.startswith("common.messages"))
    return sorted((cls for cls in found if issubclass(cls, kind)), key=lambda cls: cls.type)


def name_of(cls: type[Message]) -> str:
    """A name that AsyncAPI allows: backup.completed is backupCompleted."""
    first, *others = cls.type.replace("-", ".").split(".")
    return first + "".join(word.capitalize() for word in others)


def text_of(cls: type[Message]) -> str:
    """What the class says of itself."""
    return inspect.cleandoc(cls.__doc__ or "")


def ref(*path: str) -> Document:
    """A reference within the document."""
    return {"$ref": "#/" + "/".join(path)}


def answer_of(question: type[Message]) -> type[Message]:
    """A question's answer has the question's type and ``.answer``."""
    return types()[f"{question.type}.answer"]


def schemas() -> Document:
    """Each message's own schema, and the attributes around it."""
    models = [(cls, "validation") for cls in ours(Message)]
    _, found = models_json_schema(
        [*models, (Envelope, "validation")],  # type: ignore[list-item]  # pairs with a literal
        ref_template=SCHEMAS + "{model}",
    )
    definitions: Document = found["$defs"]
    envelope = definitions.pop("Envelope")
    definitions.pop("Message", None)
    envelope["properties"].pop("data")
    envelope["required"] = ["specversion", "id", "source", "type", "time"]
    envelope["description"] = "The CloudEvents attributes; actor… say on whose behalf it was sent."
    return {"CloudEvent": envelope, **dict(sorted(definitions.items()))}


def message(cls: type[Message]) -> Document:
    """A message in its envelope, with the example that every version must understand."""
    return {
        "name": cls.type,
        "title": cls.__name__,
        "summary": text_of(cls).splitlines()[0],
        "description": text_of(cls),
        "contentType": "application/cloudevents+json; charset=utf-8",
        "payload": {
            "allOf": [
                ref("components", "schemas", "CloudEvent"),
                {
                    "type": "object",
                    "required": ["type", "data"],
                    "properties": {
                        "type": {"const": cls.type},
                        "data": ref("components", "schemas", cls.__name__),
                    },
                },
            ]
        },
        "examples": [{"payload": json.loads((GOLDEN / f"{cls.type}.json").read_text())}],
    }


def exchange(name: str, kind: str) -> Document:
    """Where on RabbitMQ a channel's key is used."""
    settings = {"name": name, "type": kind, "durable": True, "autoDelete": False, "vhost": "/"}
    return {"amqp": {"is": "routingKey", "exchange": settings, "bindingVersion": "0.3.0"}}


def channels() -> Document:
    """One for each event's key, and one for each queue that commands or questions are sent to."""
    found: Document = {}
    for cls in ours(Event):
        found[f"events.{cls.type}"] = {
            "address": cls.type,
            "messages": {name_of(cls): ref("components", "messages", name_of(cls))},
            "bindings": exchange(topology.EVENTS, "topic"),
        }
    for cls in [*ours(Command), *ours(Question)]:
        channel = found.setdefault(channel_of(cls), queue_channel(cls))
        channel["messages"][name_of(cls)] = ref("components", "messages", name_of(cls))
    answers: list[type[Message]] = [*map(answer_of, ours(Question)), QuestionFailed]
    found["answers"] = {
        "address": None,
        "description": "Whatever address the question names in its reply_to.",
        "messages": {name_of(cls): ref("components", "messages", name_of(cls)) for cls in answers},
        "bindings": exchange(topology.ANSWERS, "direct"),
    }
    return found


def channel_of(cls: type[Message]) -> str:
    """The channel's name here."""
    return str(cls.queue) if issubclass(cls, Command | Question) else f"events.{cls.type}"


def queue_channel(cls: type[Message]) -> Document:
    """Commands for a station go into its own queue; an upload's into its destination's."""
    parts = [part for part in ("station", "destination") if part in cls.model_fields]
    if not issubclass(cls, Command):
        parts = []
    parameters = {part: {"description": f"The {part}'s name."} for part in parts}
    return {
        "address": ".".join([channel_of(cls), *(f"{{{part}}}" for part in parts)]),
        **({"parameters": parameters} if parameters else {}),
        "messages": {},
        "bindings": exchange(topology.COMMANDS, "topic"),
    }


def operations() -> Document:
    """Seen from Strongroom, as AsyncAPI has it: what it sends is what a subscriber receives."""
    found: Document = {}
    for cls in [*ours(Event), *ours(Command), *ours(Question)]:
        action = "send" if issubclass(cls, Event) else "receive"
        channel = channel_of(cls)
        found[f"{action}{name_of(cls)[0].upper()}{name_of(cls)[1:]}"] = {
            "action": action,
            "channel": ref("channels", channel),
            "summary": text_of(cls).splitlines()[0],
            "messages": [ref("channels", channel, "messages", name_of(cls))],
            **({"reply": reply(cls)} if issubclass(cls, Question) else {}),
        }
    return found


def reply(question: type[Message]) -> Document:
    """The answer, or why there is none."""
    answers = (answer_of(question), QuestionFailed)
    return {
        "address": {"location": "$message.header#/reply_to"},
        "channel": ref("channels", "answers"),
        "messages": [ref("channels", "answers", "messages", name_of(cls)) for cls in answers],
    }


def document() -> Document:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Strongroom", "version": "1.0.0", "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "rabbitmq": {
                "host": "rabbitmq:5672",
                "protocol": "amqp",
                "description": "RabbitMQ 3.10 to 4.x.",
                "security": [{"type": "userPassword"}],
            }
        },
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": {name_of(cls): message(cls) for cls in ours(Message)},
            "schemas": schemas(),
        },
    }


def text() -> str:
    """The file's content."""
    yaml = YAML()
    yaml.width = 100
    out = io.StringIO()
    yaml.dump(_readable(document()), out)
    return HEADER + out.getvalue()


def _readable(value: Any) -> Any:
    """Text of several lines as such."""
    if isinstance(value, dict):
        return {key: _readable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_readable(one) for one in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value


if __name__ == "__main__":
    TARGET.write_text(text())
