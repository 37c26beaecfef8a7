"""What audit-sink does with an event and with a question."""

from audit_sink import store
from audit_sink.domain import link
from common.errors import Invalid
from common.messages import AuditPage, AuditRecorded, QueryAudit
from common.outbox import Context


async def append_entry(context: Context, event: AuditRecorded) -> None:
    """Make ``event`` the chain's next link."""
    if context.envelope is None:
        raise Invalid("An audit entry comes in an envelope.")
    head = await store.lock_head(context.conn)
    await store.append(context.conn, [(context.envelope.id, link(head, context.envelope, event))])


async def answer_query(context: Context, question: QueryAudit) -> AuditPage:
    """The entries that ``question`` asks for."""
    return await store.query(context.conn, question)
