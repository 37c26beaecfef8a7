"""The unit of work that every handler gets: one transaction, and the messages it sends."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from common.bus.transport import Policy, TooLarge
from common.db import Connection, Pool, transaction
from common.messages import (
    SYSTEM,
    Actor,
    AuditRecorded,
    Command,
    Envelope,
    Event,
    Message,
    encode,
    operation_id,
    seal,
)
from common.observability import current_traceparent
from common.outbox import store

RiskLevel = Literal["low", "medium", "high", "critical"]

_LARGEST = Policy().message_bytes


@dataclass(frozen=True, slots=True)
class Context:
    """One transaction of the service ``source`` on behalf of ``actor``.

    ``envelope`` is the message that is being handled, if one is. What is sent leaves only when
    the transaction commits, and then surely.
    """

    conn: Connection
    source: str
    actor: Actor = SYSTEM
    envelope: Envelope | None = None

    async def send(self, message: Message, *, subject: str = "") -> UUID:
        """Send a command to its queue or an event to all who listen; returns the envelope's id.

        Raises:
            TooLarge: the bus would refuse it.
        """
        if isinstance(message, Command):
            queue = message.address()
        elif isinstance(message, Event) and message.stored:
            queue = None
        else:
            raise TypeError(f"{message.type} is neither a command nor a stored event")
        envelope = seal(
            message,
            source=self.source,
            actor=self.actor,
            subject=subject or operation_id(message),
            traceparent=current_traceparent(),
        )
        body = encode(envelope)
        if len(body) > _LARGEST:
            # Here the sender can still say what went wrong; the relay could only park it.
            raise TooLarge(f"{message.type} has {len(body)} bytes; the bus carries {_LARGEST}.")
        await store.insert(self.conn, envelope.id, queue, body.decode())
        return envelope.id

    async def audit(  # noqa: PLR0913 - the fields of an audit entry, all by name
        self,
        action: str,
        *,
        event_type: str,
        entity_type: str = "",
        entity_id: str = "",
        resource: str = "",
        success: bool = True,
        risk_level: RiskLevel = "low",
        user_agent: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Record in the audit log what this transaction does, or that it was refused."""
        entry = AuditRecorded(
            event_type=event_type,
            action=action,
            entity_type=entity_type,
            entity_id=entity_id,
            user_id=self.actor.user,
            station_id=self.actor.station,
            ip_address=self.actor.address,
            user_agent=user_agent,
            resource=resource,
            success=success,
            risk_level=risk_level,
            data=dict(data or {}),
        )
        await self.send(entry, subject=entity_id)


@asynccontextmanager
async def unit_of_work(
    pool: Pool, source: str, *, actor: Actor = SYSTEM, envelope: Envelope | None = None
) -> AsyncIterator[Context]:
    """A transaction with its context: commits at the end of the block, else rolls back."""
    async with transaction(pool) as connection:
        yield Context(connection, source, actor, envelope)
