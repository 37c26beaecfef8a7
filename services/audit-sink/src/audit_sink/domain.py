"""Entries of the audit log and the chain that they form.

The hash of an entry is SHA-256 over a fixed prefix, the hash before it and the entry's canonical
JSON. Whoever changes, removes or inserts an entry has to change every hash after it, and the last
one stands in the file and in whatever copies of it were taken.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.errors import Invalid
from common.messages import AuditRecorded, Envelope

_PREFIX = b"strongroom audit 1\n"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the last entry's place and hash."""

    seq: int
    hash: str


GENESIS = Head(0, "0" * 64)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is stored: its place, its canonical JSON, its hash, and what filters use."""

    seq: int
    entry: str
    hash: str
    occurred_at: datetime
    event_type: str
    risk_level: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a chain does not explain: somebody has been at it, or a disk has."""

    seq: int
    problem: str


def canonical(entry: dict[str, Any]) -> str:
    """The one JSON text of ``entry``: keys sorted, no blanks, ASCII only.

    Raises:
        Invalid: it holds a number that JSON does not know.
    """
    try:
        return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise Invalid("The audit entry holds a number that is none.") from error


def hash_of(previous: str, entry: str) -> str:
    """The hash of ``entry`` behind the entry with the hash ``previous``."""
    return hashlib.sha256(_PREFIX + bytes.fromhex(previous) + entry.encode()).hexdigest()


def timestamp(time: datetime) -> str:
    """ISO 8601 in UTC, as both formats have it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def link(head: Head, envelope: Envelope, event: AuditRecorded) -> Link:
    """``event`` as the next link of the chain that ends at ``head``."""
    entry = {
        "seq": head.seq + 1,
        "id": str(envelope.id),
        "source": envelope.source,
        "timestamp": timestamp(envelope.time),
        "event_type": event.event_type,
        "action": event.action,
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "user_id": event.user_id,
        "station_id": event.station_id,
        "ip_address": event.ip_address,
        "user_agent": event.user_agent,
        "resource": event.resource,
        "success": event.success,
        "risk_level": event.risk_level,
        # The two formats have a name each for the same thing.
        "data": event.data,
        "details": event.data,
    }
    text = canonical(entry)
    return Link(
        seq=head.seq + 1,
        entry=text,
        hash=hash_of(head.hash, text),
        occurred_at=envelope.time,
        event_type=filterable(event.event_type),
        risk_level=event.risk_level,
    )


def filterable(text: str) -> str:
    """``text`` as a column can hold it: PostgreSQL has no U+0000."""
    return text.replace("\x00", "")


def published(text: str, hash_: str) -> dict[str, Any]:
    """An entry with its hash, as it stands in the file and in answers."""
    return {**json.loads(text), "hash": hash_}


def line(link: Link) -> bytes:
    """The link as a line of the file. Without ``hash`` and in canonical form it is the entry."""
    return canonical(published(link.entry, link.hash)).encode() + b"\n"


def verify_chain(links: Iterable[Link], after: Head = GENESIS) -> tuple[Head, list[Finding]]:
    """Check that ``links`` continue the chain from ``after``; the new head and what is wrong.

    Each link is judged against the stored hash before it, so that one change is one finding.
    """
    findings: list[Finding] = []
    head = after
    for each in links:
        findings += _problems(head, each)
        head = Head(each.seq, each.hash)
    return head, findings


def _problems(head: Head, each: Link) -> list[Finding]:
    found = []
    if each.seq != head.seq + 1:
        gap = f"Entries {head.seq + 1} to {each.seq - 1} are missing."
        found.append(Finding(each.seq, gap if each.seq > head.seq else "It is out of order."))
    elif each.hash != hash_of(head.hash, each.entry):
        found.append(Finding(each.seq, "The entry or its hash was changed."))
    if not _columns_match(each):
        found.append(Finding(each.seq, "What is filtered by differs from the entry."))
    return found


def _columns_match(each: Link) -> bool:
    try:
        entry = json.loads(each.entry)
        return bool(
            entry["seq"] == each.seq
            and entry["timestamp"] == timestamp(each.occurred_at)
            and filterable(entry["event_type"]) == each.event_type
            and entry["risk_level"] == each.risk_level
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
