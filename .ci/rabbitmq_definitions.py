"""Writes deploy/rabbitmq/definitions.json: what is shared on the broker, and who may do what there.

    .venv/bin/python .ci/rabbitmq_definitions.py

Each service may make, fill and read the queues under its own name. Beyond them it may send only to
the services that it talks to, tell only the events that are its own, and hear only those it needs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.bus.amqp import topology
from common.bus.transport import Policy

TARGET = Path(__file__).parents[1] / "deploy" / "rabbitmq" / "definitions.json"
VHOST = "/"
NOTHING = "^$"
GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Service:
    """Whom it sends commands and questions, and the first words of events it tells and hears."""

    name: str
    sends: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()


SERVICES = (
    Service(
        "gateway",
        sends=("backup-worker", "restore-worker", "token-service", "audit-sink"),
        tells=("audit",),
        hears=("backup", "restore", "verification", "deletion", "upload", "job", "repository"),
    ),
    Service("backup-worker", sends=("token-service",), tells=("backup", "job", "audit")),
    Service(
        "restore-worker",
        sends=("token-service",),
        tells=("restore", "backup", "verification", "deletion", "job", "audit"),
    ),
    Service("storage-uploader", tells=("upload", "job", "audit"), hears=("backup",)),
    Service("audit-sink", tells=("audit",), hears=("audit",)),
    Service("token-service", tells=("repository", "audit")),
)
OUTSIDE = ("backup", "restore", "verification", "deletion", "upload", "job", "repository")
"""What a subscriber from outside may hear: everything but the audit log."""


def _any(words: tuple[str, ...]) -> str:
    """A pattern for names and keys whose first word is one of these."""
    return rf"^({'|'.join(words)})\." if words else NOTHING


def _user(name: str) -> dict[str, Any]:
    """A login that nobody can use until it is given a password (with_passwords.py)."""
    return {
        "name": name,
        "password_hash": "",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def _permission(user: str, configure: str, write: str, read: str) -> dict[str, str]:
    return {"user": user, "vhost": VHOST, "configure": configure, "write": write, "read": read}


def _keys(user: str, exchange: str, write: str, read: str) -> dict[str, str]:
    return {"user": user, "vhost": VHOST, "exchange": exchange, "write": write, "read": read}


def _service_permissions(service: Service) -> tuple[dict[str, str], list[dict[str, str]]]:
    own = rf"{service.name}\."
    everywhere = r"strongroom\.(commands|events|answers)"
    permission = _permission(
        service.name,
        configure=f"^{own}",
        write=rf"^({own}|{everywhere}$|strongroom\.(dead|retry\..*)$)",
        read=f"^({own}|{everywhere}$)",
    )
    ladder = [topology.retry_name(delay) for delay in Policy().retry_delays]
    keys = [
        _keys(service.name, topology.COMMANDS, _any((service.name, *service.sends)), f"^{own}"),
        _keys(service.name, topology.EVENTS, _any(service.tells), _any(service.hears)),
        *(_keys(service.name, step, f"^{own}", NOTHING) for step in ladder),
    ]
    return permission, keys


def document() -> dict[str, Any]:
    """The definitions, as RabbitMQ imports them."""
    permissions = [_service_permissions(service) for service in SERVICES]
    return {
        "vhosts": [{"name": VHOST}],
        "users": [_user(name) for name in (*(s.name for s in SERVICES), "operator", "subscriber")],
        "permissions": [
            *(permission for permission, _ in permissions),
            _permission("operator", NOTHING, r"^strongroom\.commands$", r"^strongroom\.dead$"),
            _permission(
                "subscriber",
                r"^subscriber\.",
                r"^subscriber\.",
                r"^(subscriber\.|strongroom\.events$)",
            ),
        ],
        "topic_permissions": [
            *(key for _, keys in permissions for key in keys),
            _keys("subscriber", topology.EVENTS, NOTHING, _any(OUTSIDE)),
        ],
        "policies": [_bounded()],
        "exchanges": _exchanges(),
        "queues": _queues(),
        "bindings": _bindings(),
    }


def _bounded() -> dict[str, Any]:
    """A full queue refuses what is published; it waits in the sender's outbox."""
    names = "|".join(service.name for service in SERVICES)
    return {
        "vhost": VHOST,
        "name": "strongroom-bounded",
        "pattern": rf"^({names})\.",
        "apply-to": "queues",
        "priority": 0,
        "definition": {"max-length-bytes": GIGABYTE},
    }


def _exchanges() -> list[dict[str, Any]]:
    return [
        {
            "name": exchange.name,
            "vhost": VHOST,
            "type": exchange.kind,
            "durable": True,
            "auto_delete": False,
            "internal": False,
            "arguments": {},
        }
        for exchange in topology.shared_exchanges(Policy())
    ]


def _queues() -> list[dict[str, Any]]:
    return [
        {
            "name": queue.name,
            "vhost": VHOST,
            "durable": True,
            "auto_delete": False,
            "arguments": queue.arguments,
        }
        for queue in topology.shared_queues(Policy())
    ]


def _bindings() -> list[dict[str, Any]]:
    return [
        {
            "source": exchange,
            "vhost": VHOST,
            "destination": queue.name,
            "destination_type": "queue",
            "routing_key": key,
            "arguments": {},
        }
        for queue in topology.shared_queues(Policy())
        for exchange, key in queue.bindings
    ]


def text() -> str:
    """The file's content."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
