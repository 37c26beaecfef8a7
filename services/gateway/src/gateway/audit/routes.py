"""The audit log over HTTP."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.errors import Unavailable
from common.messages import AuditPage, QueryAudit
from gateway.envelope import Enveloped
from gateway.identity.access import TheCaller, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.platform import ThePlatform
from gateway.text import PRINTABLE

router = guarded_router(prefix="/api/v2/security", tags=["security"])

PATIENCE = 10.0


class AuditFilter(BaseModel):
    """Which entries; both dates are included, in UTC."""

    model_config = ConfigDict(extra="forbid")

    start_date: date | None = Field(default=None, examples=["2026-11-01"])
    end_date: date | None = Field(default=None, examples=["2026-11-30"])
    event_type: str | None = Field(
        default=None, max_length=100, pattern=PRINTABLE, examples=["login_attempt"]
    )
    risk_level: Literal["low", "medium", "high", "critical"] | None = None
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _in_order(self) -> "AuditFilter":
        if self.start_date and self.end_date and self.end_date < self.start_date:
            raise ValueError("end_date lies before start_date")
        return self

    def question(self) -> QueryAudit:
        """What audit-sink is asked."""
        start, end = self.start_date, self.end_date
        return QueryAudit(
            start=datetime.combine(start, time.min, UTC) if start else None,
            end=datetime.combine(end, time.min, UTC) + timedelta(days=1) if end else None,
            event_type=self.event_type,
            risk_level=self.risk_level,
            limit=self.limit,
            offset=self.offset,
        )


class AuditLogs(BaseModel):
    """Entries with their place and hash in the chain, newest first."""

    logs: list[dict[str, Any]] = Field(
        examples=[
            [
                {
                    "timestamp": "2024-01-15T10:30:00Z",
                    "event_type": "login_attempt",
                    "user_id": "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11",
                    "ip_address": "192.168.1.1",
                    "user_agent": "Mozilla/5.0",
                    "resource": "/api/auth/login",
                    "action": "POST",
                    "success": True,
                    "risk_level": "low",
                    "details": {"login_method": "password"},
                }
            ]
        ]
    )
    total: int
    limit: int
    offset: int


@router.get("/audit-logs")
@needs(Permission.AUDIT_READ)
async def list_audit_logs(
    caller: TheCaller, platform: ThePlatform, wanted: Annotated[AuditFilter, Query()]
) -> Enveloped[AuditLogs]:
    """List what was done, by whom and from where."""
    answer = await platform.ask(wanted.question(), wait=PATIENCE, actor=caller.actor())
    if not isinstance(answer, AuditPage):
        raise Unavailable("The audit log gave an answer that this version does not understand.")
    logs = AuditLogs(
        logs=list(answer.entries), total=answer.total, limit=wanted.limit, offset=wanted.offset
    )
    return Enveloped(message="Audit logs retrieved successfully", data=logs)
