"""What every service tells audit-sink, and what it is asked."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from common.messages.base import Event, Message, Question


class AuditRecorded(Event):
    """One entry for the audit log, sent in the transaction of what it records.

    The fields are those of both audit formats in the requirements; ``data`` holds the operation's
    details and never a secret.
    """

    type: ClassVar[str] = "audit.recorded"

    event_type: str
    action: str
    entity_type: str = ""
    entity_id: str = ""
    user_id: str = ""
    station_id: str = ""
    ip_address: str = ""
    user_agent: str = ""
    resource: str = ""
    success: bool = True
    risk_level: Literal["low", "medium", "high", "critical"] = "low"
    data: dict[str, Any] = Field(default_factory=dict)


class QueryAudit(Question):
    """Audit entries, newest first, filtered; ``limit`` is at most 1000."""

    type: ClassVar[str] = "audit.query"
    queue: ClassVar[str] = "audit-sink.questions"

    start: datetime | None = None
    end: datetime | None = None
    event_type: str | None = None
    risk_level: str | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)


class AuditPage(Message):
    """The answer to ``audit.query``: entries with their place and hash in the chain."""

    type: ClassVar[str] = "audit.query.answer"

    entries: tuple[dict[str, Any], ...]
    total: int
