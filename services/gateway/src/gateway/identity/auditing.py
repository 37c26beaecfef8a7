"""Audit entries of identity."""

from typing import Any

from common.outbox import Context
from gateway.identity.domain import Client


async def audit(context: Context, event_type: str, client: Client, **fields: Any) -> None:
    """Record in this transaction what a request did or tried to do."""
    await context.audit(
        client.method,
        event_type=event_type,
        resource=client.resource,
        user_agent=client.user_agent,
        **fields,
    )


async def audit_change(
    context: Context, event_type: str, client: Client, what: str, entity_id: str, **data: Any
) -> None:
    """Record in this transaction that ``what``, as a user or a role, has changed.

    Who may do what is another thing from then on, and that is of high risk, whoever did it.
    """
    await audit(
        context,
        event_type,
        client,
        entity_type=what,
        entity_id=entity_id,
        risk_level="high",
        data=data,
    )
