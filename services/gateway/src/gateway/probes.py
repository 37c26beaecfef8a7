"""Whether the gateway lives and can work, for orchestrators and load balancers."""

from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from gateway.identity.access import guarded_router, limited, public
from gateway.platform import ThePlatform

router = guarded_router(tags=["health"])


class Life(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether work can be done, and the names of what is missing for it.

    What exactly is wrong is said to users alone, at ``/api/v2/enhanced-backup/health``.
    """

    status: Literal["ready", "not ready"]
    missing: list[str] = Field(examples=[["bus"]])


NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "Something that is needed is missing."}
}


@router.get("/healthz")
@limited(None)
@public
async def show_life() -> Life:
    """Say that the process is alive."""
    return Life()


@router.get("/readyz", response_model=Readiness, responses=NOT_READY)
@limited(None)
@public
async def show_readiness(platform: ThePlatform) -> Response:
    """Say whether work can be done."""
    missing = list((await platform.health.report()).missing)
    ready = Readiness(status="not ready" if missing else "ready", missing=missing)
    return JSONResponse(ready.model_dump(), status_code=503 if missing else 200)
