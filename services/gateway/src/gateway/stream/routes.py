"""The event stream over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from starlette.responses import Response

from common.web import error_answers
from gateway.identity.access import TheCaller, TheIdentity, guarded_router, needs
from gateway.identity.admitting import Access
from gateway.identity.domain import Permission
from gateway.operations.handlers import find
from gateway.operations.routes import OperationAnswer
from gateway.platform import ThePlatform, kept
from gateway.stream.hub import Hub, Listener, frame
from gateway.stream.response import EventStream, events

router = guarded_router(prefix="/api/events", tags=["events"])

EXAMPLE = (
    'event: operation\ndata: {"id": "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11", "state": "running"}\n\n'
    'id: 019ab0c4-9b00-7000-8000-000000000000\nevent: job.progressed\ndata: {"type": '
    '"job.progressed", "operation_id": "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11", "data": '
    '{"phase": "capture", "done_bytes": 1048576}}\n\n'
)
STREAM = {
    200: {
        "description": "Events, until the client leaves.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
    **error_answers(404, 503),
}


async def _listener(
    caller: TheCaller,
    hub: Annotated[Hub, Depends(kept("hub", Hub))],
    operation: Annotated[
        UUID | None, Query(description="Only events about this operation or backup.")
    ] = None,
) -> AsyncIterator[Listener]:
    with hub.listener(caller.user_id, str(operation) if operation else None) as listener:
        yield listener


READS = Access(permission=Permission.BACKUPS_READ, stations=True)


@router.get("/stream", response_class=Response, responses=STREAM)
@needs(Permission.BACKUPS_READ, stations=True)
async def stream_events(
    caller: TheCaller,
    identity: TheIdentity,
    platform: ThePlatform,
    listener: Annotated[Listener, Depends(_listener)],
) -> Response:
    """Follow what happens as server-sent events: progress (once a second) and every change.

    With `operation` the first event is `operation`, the operation as it is now. The event named
    after a message type (`job.progressed`, `backup.completed`, …) holds
    `{id, type, time, operation_id, data}`. A comment comes in every silence of 15 seconds.

    Progress is stored nowhere, so there is nothing to resume: `Last-Event-ID` is not read. After a
    reconnect the first event, or the lists, tell what was missed. Lists may lag a moment behind an
    event. A client that does not read fast enough is let go with a final comment. So is, within 15
    seconds, one whose session or key has ended or may not read any more; listening does not keep a
    session alive. An API key of a station follows one operation of that station at a time.
    """
    first = []
    if listener.operation is not None:
        operation = await find(platform.pool, listener.operation)
        caller.check_station(operation.station)
        first = [frame("operation", OperationAnswer.of(operation).model_dump(mode="json"))]
    else:
        caller.check_station("")

    async def allowed() -> bool:
        return await identity.still_admits(caller, READS)

    return EventStream(events(listener, first, allowed), listener)
