"""Numbers for ``stats``."""

from datetime import UTC, datetime, time

from common.db import borrowed
from common.errors import Error
from common.messages import Actor, AuditPage, QueryAudit
from common.service import Runtime
from gateway.identity.handlers import Identity
from gateway.limits import store
from gateway.security.schemas import ShownLimits, Statistics
from gateway.settings import GatewaySettings

PATIENCE = 3.0


async def statistics(
    runtime: Runtime[GatewaySettings], identity: Identity, actor: Actor
) -> Statistics:
    """What was seen today, and the policies."""
    await identity.tally.flush()
    lockout = identity.lockout
    async with borrowed(runtime.pool) as connection:
        seen = await store.counts_today(connection)
        locked = await store.locked_accounts(connection, lockout.limit, lockout.duration)
    return Statistics(
        rate_limited_requests=seen.get("rate_limited_requests", 0),
        locked_accounts=locked,
        failed_login_attempts=seen.get("failed_login_attempts", 0),
        account_lockouts=seen.get("account_lockouts", 0),
        input_validation_failures=seen.get("input_validation_failures", 0),
        file_upload_rejections=seen.get("file_upload_rejections", 0),
        security_events_today=await _audited_today(runtime, actor),
        config=_shown(runtime.settings),
    )


async def _audited_today(runtime: Runtime[GatewaySettings], actor: Actor) -> int | None:
    midnight = datetime.combine(datetime.now(UTC).date(), time.min, UTC)
    try:
        answer = await runtime.ask(
            QueryAudit(start=midnight, limit=1, offset=0), wait=PATIENCE, actor=actor
        )
    except Error:
        return None
    return answer.total if isinstance(answer, AuditPage) else None


def _shown(settings: GatewaySettings) -> ShownLimits:
    return ShownLimits(
        max_requests_per_minute=settings.security_max_requests_per_minute,
        max_requests_per_hour=settings.security_max_requests_per_hour,
        max_login_attempts=settings.security_max_login_attempts,
        lockout_duration_minutes=settings.security_lockout_duration,
        min_password_length=settings.security_min_password_length,
        password_history=settings.security_password_history,
        session_timeout_minutes=settings.security_session_timeout,
        max_sessions=settings.security_max_sessions,
        max_input_length=settings.security_max_input_length,
        max_file_size_mb=settings.security_max_file_size_mb,
    )
