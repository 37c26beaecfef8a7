"""Operations as the API shows them, and the headers with which they are asked for."""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from common.messages import Failure
from common.web import error_answers
from gateway.identity.access import TheCaller, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.operations import handlers, store
from gateway.operations.domain import Kind, Operation, State
from gateway.operations.handlers import LONGEST_WAIT
from gateway.platform import ThePlatform

router = guarded_router(prefix="/api/operations", tags=["operations"])

EXAMPLE_ID = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,4})\"?\s*(?:,|;|$)")


class OperationAnswer(BaseModel):
    """Long work that was asked for. Follow it at ``/api/events/stream?operation=<id>``."""

    id: str = Field(examples=[EXAMPLE_ID])
    kind: Kind
    state: State
    backup_id: str = Field(examples=[EXAMPLE_ID])
    station: str = Field(examples=["main"])
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = Field(default=0, description="Above 1 after a worker was lost and replaced.")
    worker: str = Field(default="", examples=["backup-worker@till-3:4711"])
    request: dict[str, Any] = Field(examples=[{"components": ["database", "files"]}])
    result: dict[str, Any] | None = Field(default=None, examples=[{"size_bytes": 1048576}])
    failure: Failure | None = None

    @classmethod
    def of(cls, operation: Operation) -> "OperationAnswer":
        """The operation, as shown."""
        shown = {name: getattr(operation, name) for name in cls.model_fields}
        return cls.model_validate(shown)


async def _wait_of(
    prefer: Annotated[
        str,
        Header(
            alias="Prefer",
            max_length=200,
            description=f"`wait=30` waits that many seconds (at most {LONGEST_WAIT:.0f}) for the"
            " end, and then answers 200 with the outcome instead of 202.",
            examples=["wait=30"],
        ),
    ] = "",
) -> float:
    found = _WAIT.search(prefer)
    return min(float(found.group(1)), LONGEST_WAIT) if found else 0.0


TheWait = Annotated[float, Depends(_wait_of)]


async def _key_of(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="A request that is repeated with its key acts once.",
            examples=["3f0c0e6e-nightly-2026-11-21"],
        ),
    ] = None,
) -> store.Key | None:
    if idempotency_key is None:
        return None
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    digest = hashlib.sha256(asked + await request.body()).digest()
    return store.Key(idempotency_key, digest)


TheKey = Annotated[store.Key | None, Depends(_key_of)]

ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": OperationAnswer,
        "description": "It has ended while the request waited (`Prefer: wait`).",
    },
    202: {
        "model": OperationAnswer,
        "description": "It will be done. `Location` is where to look.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    },
    **error_answers(400, 409),
}
ACCEPTED_FOR_ONE = ACCEPTED | error_answers(404)


def accepted_headers(operation: Operation, wait: float) -> dict[str, str]:
    """The headers of an answer that tells of an operation."""
    headers = {"Location": f"/api/operations/{operation.id}"}
    if wait:
        headers["Preference-Applied"] = f"wait={wait:.0f}"
    return headers


async def accepted(platform: ThePlatform, operation: Operation, wait: float) -> Response:
    """202 with the operation, or 200 when it ended within the time that the client waits."""
    operation = await handlers.wait_for_end(platform.pool, operation, wait)
    return JSONResponse(
        OperationAnswer.of(operation).model_dump(mode="json"),
        status_code=200 if operation.state.ended else 202,
        headers=accepted_headers(operation, wait),
    )


@router.get("/{operation_id}", responses=error_answers(404))
@needs(Permission.BACKUPS_READ, stations=True)
async def show_operation(
    operation_id: UUID, caller: TheCaller, platform: ThePlatform
) -> OperationAnswer:
    """Show an operation: a backup, restore, verification or deletion."""
    operation = await handlers.find(platform.pool, str(operation_id))
    caller.check_station(operation.station)
    return OperationAnswer.of(operation)
