"""How many of the audit entries that anybody can cause are written."""

import time
from typing import Any

from common.messages import Actor
from common.service import Runtime
from gateway.identity.auditing import audit
from gateway.identity.domain import Caller, Client, Refusal, RefusalQuota


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
