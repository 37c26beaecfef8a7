"""Audit entries of identity, and how many of those that anybody can cause are written."""

import time
from typing import Any

from common.messages import Actor
from common.outbox import Context
from common.service import Runtime
from gateway.identity.domain import Caller, Client, Refusal, RefusalQuota


async def audit(context: Context, event_type: str, client: Client, **fields: Any) -> None:
    """Record in this transaction what a request did or tried to do."""
    await context.audit(
        client.method,
        event_type=event_type,
        resource=client.resource,
        user_agent=client.user_agent,
        **fields,
    )


class Refusals:
    """Records that somebody was refused, unless so many were that they would flood the log."""

    def __init__(self, runtime: Runtime[Any]) -> None:
        self._runtime = runtime
        self._quota = RefusalQuota()

    async def record(
        self, refusal: Refusal, client: Client, caller: Caller | None = None, **data: str
    ) -> None:
        """Write an entry, which also says how many were left out before it."""
        suppressed = self._quota.take(f"{refusal} {client.address}", time.monotonic())
        if suppressed is None:
            return
        details: dict[str, Any] = {**data}
        if suppressed:
            details["suppressed_before"] = suppressed
        actor = caller.actor() if caller else Actor(address=client.address)
        async with self._runtime.transaction(actor) as context:
            await audit(context, refusal, client, success=False, risk_level="medium", data=details)
